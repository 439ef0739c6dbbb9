package ledger

import (
	"slices"
	"unicode/utf8"

	"adit/internal/scale"
)

// ChainIdentity is what the owner of a hotkey tells of itself.
type ChainIdentity struct {
	Name        []byte
	URL         []byte `scale:"url"`
	GithubRepo  []byte
	Image       []byte
	Discord     []byte
	Description []byte
	Additional  []byte
}

// ScaleName implements [scale.Named].
func (ChainIdentity) ScaleName() string { return "pallet_subtensor::pallet::ChainIdentityV2" }

// SubnetIdentity is what the owner of a subnet tells of it.
type SubnetIdentity struct {
	SubnetName    []byte
	GithubRepo    []byte
	SubnetContact []byte
	SubnetURL     []byte `scale:"subnet_url"`
	Discord       []byte
	Description   []byte
	LogoURL       []byte `scale:"logo_url"`
	Additional    []byte
}

// ScaleName implements [scale.Named].
func (SubnetIdentity) ScaleName() string { return "pallet_subtensor::pallet::SubnetIdentityV3" }

// short reports whether each field is no longer than its limit, and all of
// them together no longer than the limits together.
func short(fields [][]byte, limits ...int) bool {
	for i, f := range fields {
		if len(f) > limits[i] {
			return false
		}
	}
	return true
}

func (i *SubnetIdentity) valid() bool {
	return short([][]byte{i.SubnetName, i.GithubRepo, i.SubnetContact, i.SubnetURL, i.Discord, i.Description, i.LogoURL, i.Additional},
		256, 1024, 1024, 1024, 256, 1024, 1024, 1024)
}

// SetIdentity tells who the signer is. It must own a hotkey in some subnet.
type SetIdentity struct {
	Name        []byte `type:"Vec<u8>"`
	URL         []byte `scale:"url" type:"Vec<u8>"`
	GithubRepo  []byte `type:"Vec<u8>"`
	Image       []byte `type:"Vec<u8>"`
	Discord     []byte `type:"Vec<u8>"`
	Description []byte `type:"Vec<u8>"`
	Additional  []byte `type:"Vec<u8>"`
}

func (c *SetIdentity) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(sub.OwnedHotkeys.get(l.s, who), l.registered) {
		return ErrHotKeyNotRegisteredInNetwork
	}
	id := ChainIdentity(*c)
	if !short([][]byte{id.Name, id.URL, id.GithubRepo, id.Image, id.Discord, id.Description, id.Additional},
		256, 256, 256, 1024, 256, 1024, 1024) {
		return ErrInvalidIdentity
	}
	sub.IdentitiesV2.set(l.s, who, id)
	l.emit(SubtensorEvent{ChainIdentitySet: &who})
	return nil
}

// registered reports whether a hotkey has a uid anywhere.
func (l *Ledger) registered(hotkey AccountID) bool {
	found := false
	l.networks(func(netuid uint16) { found = found || sub.Uids.has(l.s, netuid, hotkey) })
	return found
}

// SetSubnetIdentity tells what a subnet is. It is for the owner.
type SetSubnetIdentity struct {
	Netuid        uint16 `type:"NetUid"`
	SubnetName    []byte `type:"Vec<u8>"`
	GithubRepo    []byte `type:"Vec<u8>"`
	SubnetContact []byte `type:"Vec<u8>"`
	SubnetURL     []byte `scale:"subnet_url" type:"Vec<u8>"`
	Discord       []byte `type:"Vec<u8>"`
	Description   []byte `type:"Vec<u8>"`
	LogoURL       []byte `scale:"logo_url" type:"Vec<u8>"`
	Additional    []byte `type:"Vec<u8>"`
}

func (c *SetSubnetIdentity) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if owner, ok := sub.SubnetOwner.lookup(l.s, c.Netuid); !ok || owner != who {
		return ErrNotSubnetOwner
	}
	return l.setSubnetIdentity(c.Netuid, SubnetIdentity{c.SubnetName, c.GithubRepo, c.SubnetContact, c.SubnetURL,
		c.Discord, c.Description, c.LogoURL, c.Additional})
}

func (l *Ledger) setSubnetIdentity(netuid uint16, id SubnetIdentity) error {
	if !id.valid() {
		return ErrInvalidIdentity
	}
	sub.SubnetIdentitiesV3.set(l.s, netuid, id)
	l.emit(SubtensorEvent{SubnetIdentitySet: &netuid})
	return nil
}

// RegisterNetworkWithIdentity is [RegisterNetwork] that also tells what the
// subnet is.
type RegisterNetworkWithIdentity struct {
	Hotkey   AccountID                    `type:"T::AccountId"`
	Identity scale.Option[SubnetIdentity] `type:"Option<SubnetIdentityOfV3>"`
}

func (c *RegisterNetworkWithIdentity) precheck(l *Ledger, who AccountID) error {
	return (&RegisterNetwork{c.Hotkey}).precheck(l, who)
}

func (c *RegisterNetworkWithIdentity) dispatch(l *Ledger, o origin) error {
	netuid, _ := l.freeNetuid()
	if err := (&RegisterNetwork{c.Hotkey}).dispatch(l, o); err != nil {
		return err
	}
	if !c.Identity.Some {
		return nil
	}
	return l.setSubnetIdentity(netuid, c.Identity.V)
}

// symbols are those of alphas, by netuid: the Greek letters, then the Hebrew.
var symbols = []rune("ταβγδεζηθικλμνξοπρσtυφχψωאבגדהוזחטיךכלםמןנסעףפץצקרשת")

// symbolOf returns the symbol of a subnet's alpha.
func (l *Ledger) symbolOf(netuid uint16) []byte {
	if s, ok := sub.TokenSymbol.lookup(l.s, netuid); ok {
		return s
	}
	if int(netuid) < len(symbols) {
		return utf8.AppendRune(nil, symbols[netuid])
	}
	return []byte("𝜏")
}

// UpdateSymbol chooses the symbol of a subnet's alpha. It is for the owner.
type UpdateSymbol struct {
	Netuid uint16 `type:"NetUid"`
	Symbol []byte `type:"Vec<u8>"`
}

func (c *UpdateSymbol) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOrRoot(o, c.Netuid); err != nil {
		return err
	}
	r, size := utf8.DecodeRune(c.Symbol)
	if size != len(c.Symbol) || !slices.Contains(symbols[1:], r) {
		return ErrSymbolDoesNotExist
	}
	taken := false
	l.networks(func(netuid uint16) { taken = taken || string(l.symbolOf(netuid)) == string(c.Symbol) })
	if taken {
		return ErrSymbolAlreadyInUse
	}
	sub.TokenSymbol.set(l.s, c.Netuid, c.Symbol)
	l.emit(SubtensorEvent{SymbolUpdated: &SymbolUpdated{c.Netuid, c.Symbol}})
	return nil
}

// SymbolUpdated says what the symbol of a subnet's alpha is now.
type SymbolUpdated struct {
	Netuid uint16
	Symbol []byte
}
