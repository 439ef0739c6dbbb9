package scale

// Metadata is what a runtime says about itself: its types, its pallets, what
// an extrinsic is made of and what may be asked of it. It holds all that the
// versions 14, 15 and 16 of frame-metadata tell; what a version does not tell
// is absent.
//
// It is not changed after [ReadMetadata] or [BuildMetadata] and may be used
// by many goroutines.
type Metadata struct {
	// Version is the one that was read; 14 if the metadata was built.
	Version   uint8
	Types     []Type // by TypeID
	Pallets   []Pallet
	Extrinsic Extrinsic
	Runtime   Option[TypeID] // the runtime's own type, which version 16 has not
	APIs      []API          // from version 15
	Outer     Option[OuterEnums]
	Custom    []CustomValue // from version 15

	// basic is how many types there were before the runtime APIs were described,
	// if this was built: version 14 is written with no more than those.
	basic int
}

// A Pallet is one module of a runtime.
type Pallet struct {
	Name      string
	Storage   Option[Storage]
	Calls     Option[TypeID]
	Events    Option[TypeID]
	Constants []Constant
	Errors    Option[TypeID]
	Index     uint8
	Docs      []string // from version 15

	// What version 16 adds.
	Associated       []AssociatedType
	Views            []ViewFunction
	DeprecatedCalls  []VariantDeprecation
	DeprecatedEvents []VariantDeprecation
	DeprecatedErrors []VariantDeprecation
	Deprecated       Deprecation
}

// Storage lists what a pallet stores.
type Storage struct {
	Prefix string // what storage keys begin with the hash of
	Items  []StorageItem
}

// A StorageItem is one value or map in storage.
type StorageItem struct {
	Name       string
	Modifier   Modifier
	Type       StorageType
	Default    []byte // SCALE of what is read where nothing is stored, if the modifier is Default
	Docs       []string
	Deprecated Deprecation `scale:"-"`
}

// A Modifier says what reading finds where nothing is stored.
type Modifier uint8

// Nothing, or the item's default.
const (
	Optional Modifier = iota
	Default
)

// A StorageType is that of a plain value or of a map.
type StorageType struct {
	Enum
	Plain *TypeID     `scale:"0"`
	Map   *StorageMap `scale:"1"`
}

// A StorageMap has one hasher, and then the key is one value, or several, and
// then the key is a tuple of as many.
type StorageMap struct {
	Hashers []Hasher
	Key     TypeID
	Value   TypeID
}

// A Constant is a number a runtime was built with.
type Constant struct {
	Name       string
	Type       TypeID
	Value      []byte // SCALE
	Docs       []string
	Deprecated Deprecation `scale:"-"`
}

// An AssociatedType is a type that a pallet is configured with.
type AssociatedType struct {
	Name string
	Type TypeID
	Docs []string
}

// A ViewFunction is a question that a pallet answers without an API of its own.
type ViewFunction struct {
	ID         [32]byte // what it is called by
	Name       string
	Inputs     []Param
	Output     TypeID
	Docs       []string
	Deprecated Deprecation
}

// Extrinsic says what a signed extrinsic carries besides its call.
type Extrinsic struct {
	Versions []uint8        // in which extrinsics may be written; one before version 16
	Type     Option[TypeID] // in version 14 only
	// The types of an extrinsic's parts. In version 14 they are read from the
	// parameters of Type; version 16 has no Extra.
	Address, Call, Signature, Extra Option[TypeID]
	Extensions                      []Extension
	// Sets says which extensions there are in each version of them. Before
	// version 16 there is one set of all, which is not listed.
	Sets []ExtensionSet
}

// An Extension is one signed extension, or transaction extension as it was
// called later: what it adds to the extrinsic, and what it adds only to the
// payload that is signed.
type Extension struct {
	Name     string
	Type     TypeID
	Implicit TypeID
}

// An ExtensionSet is a version of the extensions and which belong to it, by their
// position, in their order.
type ExtensionSet struct {
	Version    uint8
	Extensions []Compact[uint32]
}

// An API is a group of questions that a runtime answers: "state_call".
type API struct {
	Name       string
	Methods    []APIMethod
	Docs       []string
	Version    uint32      // from version 16
	Deprecated Deprecation // from version 16
}

// An APIMethod is one question. It is called by the name of its API, an
// underscore, and its own.
type APIMethod struct {
	Name       string
	Inputs     []Param
	Output     TypeID
	Docs       []string
	Deprecated Deprecation `scale:"-"`
}

// A Param is an argument of a function.
type Param struct {
	Name string
	Type TypeID
}

// OuterEnums are the enums over all pallets.
type OuterEnums struct{ Call, Event, Error TypeID }

// A CustomValue is whatever a runtime's author wanted to tell.
type CustomValue struct {
	Name  string
	Type  TypeID
	Value []byte // SCALE
}
