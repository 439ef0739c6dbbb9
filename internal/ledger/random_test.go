package ledger

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"testing"

	"adit/internal/drand"
	"adit/internal/keys"
	"adit/internal/scale"
)

// A monkey makes calls of every kind that there is, from their declarations:
// arguments are likely to mean something, and not sure to.
type monkey struct {
	*rand.Rand
	accounts []AccountID
}

var monkeyTypes = map[reflect.Type]func(m *monkey) any{
	reflect.TypeFor[AccountID](): func(m *monkey) any { return m.accounts[m.IntN(len(m.accounts))] },
	reflect.TypeFor[MultiAddress](): func(m *monkey) any {
		return AddressOf(m.accounts[m.IntN(len(m.accounts))])
	},
	reflect.TypeFor[Fields](): func(m *monkey) any {
		return Fields{{Kind: DataRaw, Bytes: []byte("x")}, {Kind: DataTimelock, Bytes: make([]byte, m.IntN(300)), Round: 1 + m.Uint64N(20)}}[:m.IntN(3)]
	},
	reflect.TypeFor[Ciphertext](): func(m *monkey) any { return Ciphertext(make([]byte, m.IntN(300))) },
}

func (m *monkey) amount() uint64 {
	switch m.IntN(8) {
	case 0:
		return m.Uint64()
	case 1:
		return m.Uint64N(4)
	case 2, 3:
		return m.Uint64N(3000)
	default:
		return m.Uint64N(2000 * tao)
	}
}

// fill makes up a value. Depth bounds calls within calls.
func (m *monkey) fill(v reflect.Value, name string, depth int) {
	if f, ok := monkeyTypes[v.Type()]; ok {
		v.Set(reflect.ValueOf(f(m)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(m.IntN(2) == 0)
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(uint64(m.IntN(5)))
	case reflect.Uint16:
		switch {
		case name == "Netuid" || name == "OriginNetuid" || name == "DestinationNetuid":
			v.SetUint(uint64(m.IntN(4)))
		case m.IntN(3) == 0:
			v.SetUint(m.Uint64() & 0xffff)
		default:
			v.SetUint(uint64(m.IntN(8)))
		}
	case reflect.Uint64:
		v.SetUint(m.amount())
	case reflect.Int16, reflect.Int64:
		v.SetInt(int64(m.IntN(2000)))
	case reflect.Array:
		for i := range v.Len() {
			m.fill(v.Index(i), name, depth)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), m.IntN(4), 4))
		for i := range v.Len() {
			m.fill(v.Index(i), name, depth)
		}
	case reflect.Pointer:
		if v.Type().Elem() == reflect.TypeFor[RuntimeCall]() {
			call := Wrap(m.call(depth + 1))
			v.Set(reflect.ValueOf(&call))
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		m.fill(v.Elem(), name, depth)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[RuntimeCall]() {
			v.Set(reflect.ValueOf(Wrap(m.call(depth + 1))))
			return
		}
		if v.NumField() > 1 && v.Type().Field(0).Type == reflect.TypeFor[scale.Enum]() {
			i := 1 + m.IntN(v.NumField()-1)
			m.fill(v.Field(i), "", depth)
			return
		}
		for i := range v.NumField() {
			m.fill(v.Field(i), v.Type().Field(i).Name, depth)
		}
	}
}

// call makes up a call of any pallet.
func (m *monkey) call(depth int) Call {
	if depth > 2 {
		return &Remark{}
	}
	pallets := reflect.TypeFor[RuntimeCall]()
	pallet := pallets.Field(1 + m.IntN(pallets.NumField()-1)).Type.Elem()
	if m.IntN(2) == 0 {
		pallet = reflect.TypeFor[SubtensorCall]() // most of what there is
	}
	call := reflect.New(pallet.Field(1 + m.IntN(pallet.NumField()-1)).Type.Elem())
	m.fill(call.Elem(), "", depth)
	return call.Interface().(Call)
}

// likely are the calls that a network lives by; few random ones would succeed.
func (m *monkey) likely(c *chain) (AccountID, Call) {
	who, hotkey := m.accounts[m.IntN(len(m.accounts))], key(m.IntN(12))
	netuid := uint16(m.IntN(4))
	n := m.Uint64N(500 * tao)
	switch m.IntN(16) {
	case 0:
		return who, &TransferAllowDeath{AddressOf(m.accounts[m.IntN(len(m.accounts))]), scale.Compact[uint64]{V: n}}
	case 1, 2, 3:
		return who, &AddStake{hotkey, netuid, n}
	case 4:
		return who, &RemoveStake{hotkey, netuid, c.stakeOf(hotkey, who, netuid)}
	case 5:
		return who, &RemoveStake{hotkey, netuid, n / 10}
	case 6:
		return who, &BurnedRegister{netuid, hotkey}
	case 7, 8:
		return hotkey, &SetWeights{netuid, []uint16{1, 2, 3}, []uint16{uint16(n), 5, 9}, 0}
	case 9:
		return who, &SwapStake{hotkey, netuid, uint16(m.IntN(4)), n / 4}
	case 10:
		return who, &MoveStake{hotkey, key(m.IntN(12)), netuid, netuid, n / 4}
	case 11:
		return who, &ClaimRoot{[]uint16{netuid}}
	case 12:
		return who, &SetChildren{hotkey, netuid, []kin{lend(half, key(m.IntN(12)))}}
	case 13:
		return who, &RegisterNetwork{hotkey}
	case 14:
		return who, &TransferStake{m.accounts[m.IntN(len(m.accounts))], hotkey, netuid, netuid, n / 8}
	}
	return hotkey, &CommitWeights{netuid, Hash{byte(n)}}
}

// TestRandomExtrinsics does whatever, in any order: nothing panics, each
// failure has a name, what fails changes nothing, and nothing is created or
// lost. The variable RANDOM_EXTRINSICS asks for more of them than usual, and
// RANDOM_SEED for others.
func TestRandomExtrinsics(t *testing.T) {
	count, seed := 10_000, uint64(1)
	if s := os.Getenv("RANDOM_EXTRINSICS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	if s := os.Getenv("RANDOM_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	m := &monkey{Rand: rand.New(rand.NewPCG(seed, 0))}
	for _, name := range []string{"Alice", "Bob", "Charlie", "Dave"} {
		m.accounts = append(m.accounts, dev(name))
	}
	for i := range 12 {
		m.accounts = append(m.accounts, key(i))
	}
	b := drand.NewBeacon([32]byte{1})
	results := map[string]int{}
	round := uint64(0)
	var c *chain
	const life = 20_000 // calls to a network: settings go astray in time
	for i := range count {
		if i%life == 0 {
			c = network(t, 6)
			c.setBeacon(b.Chain(0, 3))
			c.root(&SetNetworkRateLimit{0}, &SetNetworkMinLockCost{10 * tao}, &SetPendingChildkeyCooldown{2})
			c.must(dev("Bob"), &RegisterNetwork{key(50)}, &StartCall{2}, &AddStake{key(50), 2, 200 * tao})
			sub.SubnetMovingPrice.set(c.s, 1, FixedI128{scale.I128{Lo: 2 << 32}}) // root earns
			round = 0
		}
		who, call := m.accounts[m.IntN(len(m.accounts))], Call(nil)
		if m.IntN(3) == 0 {
			call = m.call(0)
		} else {
			who, call = m.likely(c)
		}
		events, undo := c.events.mark(), c.s.mark()
		from := origin{who: who}
		if m.IntN(20) == 0 {
			from = origin{root: true}
		}
		err := c.Ledger.run(call, from)
		if f, ok := err.(Failure); err != nil && (!ok || f.Error() == "") {
			t.Fatalf("call %d, %T: %#v has no name", i, call, err)
		}
		if err != nil && (c.events.mark() != events || c.s.mark() != undo) {
			t.Fatalf("call %d, %T: it failed and left traces", i, call)
		}
		results[fmt.Sprintf("%T %v", call, err)]++
		if m.IntN(6) == 0 {
			if round++; round%9 == 0 {
				_ = c.DispatchPulses(b.Pulse(c.LastRound() + 1))
			}
			c.next()
		}
		if i%1000 == 999 || i == count-1 {
			conserved(t, c.Ledger)
			if t.Failed() {
				t.Fatalf("after call %d, seed %d", i, seed)
			}
		}
	}
	kinds := 0
	for what := range results {
		if len(what) > 6 && what[len(what)-5:] == "<nil>" {
			kinds++
		}
	}
	t.Logf("%d kinds of calls succeeded, %d kinds of results", kinds, len(results))
	if count >= 10_000 && kinds < 50 {
		t.Errorf("only %d kinds of calls ever succeeded", kinds)
	}
}

// TestRandomSigned sends random calls as signed extrinsics, now and then with
// bytes changed.
func TestRandomSigned(t *testing.T) {
	c := network(t, 5)
	m := &monkey{Rand: rand.New(rand.NewPCG(2, 0)), accounts: []AccountID{dev("Alice"), dev("Bob"), key(1), key(2)}}
	pairs := []*keys.Pair{pairOf(t, "//Alice"), pairOf(t, "//Bob"), pairOf(t, "//Nobody")}
	applied := 0
	for i := range 400 {
		p := pairs[m.IntN(len(pairs))]
		nonce := c.Nonce(p.Public()) + uint32(m.IntN(10)/9)
		xt := c.sign(p, nonce, Era{}, m.call(0))
		if m.IntN(5) == 0 {
			xt[m.IntN(len(xt))] ^= byte(1 << m.IntN(8))
		}
		_, valid := c.Validate(xt)
		if _, err := c.Apply(xt); err == nil {
			applied++
			if valid != nil {
				t.Fatalf("extrinsic %d was applied and is invalid: %v", i, valid)
			}
		}
		if i%7 == 0 {
			c.next()
		}
	}
	if applied < 50 {
		t.Errorf("%d of 400 applied", applied)
	}
	conserved(t, c.Ledger)
}
