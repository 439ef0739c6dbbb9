package scale

import "fmt"

// API returns the runtime API of that name.
func (m *Metadata) API(name string) (*API, error) {
	for i := range m.APIs {
		if m.APIs[i].Name == name {
			return &m.APIs[i], nil
		}
	}
	if m.APIs == nil && m.Version < 15 {
		return nil, fmt.Errorf("no runtime API %q: metadata of version %d describes none", name, m.Version)
	}
	return nil, fmt.Errorf("the runtime has no API %q", name)
}

// apiMethod returns a method of a runtime API by their names.
func (m *Metadata) apiMethod(api, method string) (*APIMethod, error) {
	a, err := m.API(api)
	if err != nil {
		return nil, err
	}
	for i := range a.Methods {
		if a.Methods[i].Name == method {
			return &a.Methods[i], nil
		}
	}
	return nil, fmt.Errorf("runtime API %s has no method %q", api, method)
}

// EncodeRuntimeCall returns what "state_call" wants for a method of a runtime
// API, such as "NeuronInfoRuntimeApi" and "get_neuron": the name to call and the
// arguments. They stand in order, or are one [Args].
func (m *Metadata) EncodeRuntimeCall(api, method string, args ...any) (name string, b []byte, err error) {
	f, err := m.apiMethod(api, method)
	if err != nil {
		return "", nil, err
	}
	name = api + "_" + method
	fields := make([]Field, len(f.Inputs))
	for i, p := range f.Inputs {
		fields[i] = Field{Name: SomeOf(p.Name), Type: p.Type}
	}
	e := encoder{m, 0}
	if b, err = e.fields([]byte{}, fields, argsOf(args)); err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", name, err)
	}
	return name, b, nil
}

// argsOf returns arguments in order, or the one [Args] that they are.
func argsOf(args []any) any {
	if len(args) == 1 {
		if named, ok := args[0].(Args); ok {
			return named
		}
	}
	return args
}

// DecodeRuntimeResult reads what a method of a runtime API returned; see
// [Metadata.DecodeValue] for what it may be.
func (m *Metadata) DecodeRuntimeResult(api, method string, b []byte) (any, error) {
	f, err := m.apiMethod(api, method)
	if err != nil {
		return nil, err
	}
	v, err := m.whole(f.Output, b)
	if err != nil {
		return nil, fmt.Errorf("decode the result of %s_%s: %w", api, method, err)
	}
	return v, nil
}

// CustomValue returns a custom value by its name.
func (m *Metadata) CustomValue(name string) (any, error) {
	for _, c := range m.Custom {
		if c.Name == name {
			v, err := m.whole(c.Type, c.Value)
			if err != nil {
				return nil, fmt.Errorf("decode custom value %s: %w", name, err)
			}
			return v, nil
		}
	}
	return nil, fmt.Errorf("the runtime has no custom value %q", name)
}
