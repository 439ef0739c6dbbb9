package scale

import (
	"errors"
	"fmt"
	"reflect"

	"golang.org/x/crypto/blake2b"
)

// An APIDef declares a runtime API: questions that "state_call" asks of the
// state after a block, by the Go functions that answer them.
type APIDef struct {
	Name    string // as in Rust, such as "NeuronInfoRuntimeApi"
	Version uint32
	Doc     string
	Methods []MethodDef
}

// A MethodDef declares one question of an API.
//
// Func is the function that answers it, of the form
//
//	func(state S, arg A, …) R
//	func(state S, arg A, …) (R, error)
//
// where S is the one of [APIs], or an interface that it implements; a method
// expression such as (*Ledger).neurons will do. The arguments and R are types of
// the static codec. Without R the answer is (). An error is what makes a call
// fail; it is no part of the answer, as Rust's Result is: that is an [Enum].
type MethodDef struct {
	Name string   // as in Rust, such as "get_neuron"
	Args []string // their names, without the state's
	Doc  string
	Func any
}

// ID returns the number a runtime's version lists the API by: the 8-byte
// BLAKE2b hash of its name.
func (d *APIDef) ID() [8]byte {
	h, err := blake2b.New(8, nil)
	if err != nil {
		panic(err) // unreachable: the size is allowed and there is no key
	}
	h.Write([]byte(d.Name))
	return [8]byte(h.Sum(nil))
}

// VersionedAPI is how a runtime's version lists an API: its number and version.
type VersionedAPI = Tuple2[[8]byte, uint32]

// ListAPIs returns what a runtime's version says of its APIs, in their order.
func ListAPIs(defs []APIDef) []VersionedAPI {
	list := make([]VersionedAPI, len(defs))
	for i := range defs {
		list[i] = VersionedAPI{defs[i].ID(), defs[i].Version}
	}
	return list
}

// ErrNoMethod is wrapped by [APIs.Call] if no API has the method.
var ErrNoMethod = errors.New("the runtime has no such method")

// APIs answer runtime calls on a state S by the functions that declare them. They
// may be used by many goroutines, as far as those functions may.
type APIs[S any] struct {
	defs    []APIDef
	methods map[string]*method // by the name of the call
}

// NewAPIs returns the APIs that the defs declare. It checks them as
// [BuildMetadata] does, and that all are about S.
func NewAPIs[S any](defs ...APIDef) (*APIs[S], error) {
	a := &APIs[S]{defs: defs, methods: map[string]*method{}}
	state := reflect.TypeFor[S]()
	for _, def := range defs {
		for _, f := range def.Methods {
			name := def.Name + "_" + f.Name
			m, err := f.method()
			if err == nil && !state.AssignableTo(m.state) {
				err = fmt.Errorf("it is about %v, not %v", m.state, state)
			}
			if err == nil && a.methods[name] != nil {
				err = errors.New("it is declared twice")
			}
			if err != nil {
				return nil, fmt.Errorf("runtime API %s: %w", name, err)
			}
			a.methods[name] = m
		}
	}
	return a, nil
}

// Defs returns the declarations, for [RuntimeDef].
func (a *APIs[S]) Defs() []APIDef { return a.defs }

// Call answers "state_call": it reads the arguments, calls the function and
// writes what it returns. The name is such as "Core_version". As in Substrate,
// bytes left over are an error.
func (a *APIs[S]) Call(state S, name string, args []byte) ([]byte, error) {
	m := a.methods[name]
	if m == nil {
		return nil, fmt.Errorf("call %s: %w", name, ErrNoMethod)
	}
	b, err := m.call(reflect.ValueOf(&state).Elem(), args)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	return b, nil
}

// A method is a MethodDef whose function was found to be one.
type method struct {
	fn     reflect.Value
	state  reflect.Type
	args   []reflect.Type
	names  []string
	result reflect.Type // Unit if there is none
	fails  bool         // whether the last result is an error
}

// method reads the declaration of a method.
func (d *MethodDef) method() (*method, error) {
	fn := reflect.ValueOf(d.Func)
	if !fn.IsValid() || fn.Kind() != reflect.Func || fn.IsNil() {
		return nil, fmt.Errorf("%T is no function", d.Func)
	}
	t := fn.Type()
	if t.NumIn() == 0 || t.IsVariadic() {
		return nil, fmt.Errorf("%v does not take a state and then its arguments", t)
	}
	if len(d.Args) != t.NumIn()-1 {
		return nil, fmt.Errorf("%d names of arguments for %d arguments", len(d.Args), t.NumIn()-1)
	}
	m := &method{fn: fn, state: t.In(0), names: d.Args, result: reflect.TypeFor[Unit]()}
	for i := 1; i < t.NumIn(); i++ {
		m.args = append(m.args, t.In(i))
	}
	outs := t.NumOut()
	if outs > 0 && t.Out(outs-1) == reflect.TypeFor[error]() {
		m.fails = true
		outs--
	}
	if outs > 1 {
		return nil, fmt.Errorf("%v returns more than a value and an error", t)
	}
	if outs == 1 {
		m.result = t.Out(0)
	}
	for _, t := range append([]reflect.Type{m.result}, m.args...) {
		if _, err := planOf(t); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *method) call(state reflect.Value, args []byte) ([]byte, error) {
	in := make([]reflect.Value, 1, 1+len(m.args))
	in[0] = state
	d := NewDecoder(args)
	for i, t := range m.args {
		v := reflect.New(t)
		if err := d.Decode(v.Interface()); err != nil {
			return nil, fmt.Errorf("argument %s: %w", m.names[i], err)
		}
		in = append(in, v.Elem())
	}
	if d.Len() > 0 {
		return nil, fmt.Errorf("%d bytes left over behind the arguments", d.Len())
	}
	out := m.fn.Call(in)
	if m.fails {
		if err, _ := out[len(out)-1].Interface().(error); err != nil {
			return nil, err
		}
		out = out[:len(out)-1]
	}
	if len(out) == 0 {
		return []byte{}, nil
	}
	return Append([]byte{}, out[0].Interface())
}
