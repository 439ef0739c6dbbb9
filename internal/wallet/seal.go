package wallet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"

	"adit/internal/subnet"
)

// ErrPassword is wrapped by errors about a password that opens nothing.
var ErrPassword = errors.New("the password is wrong, or the file is damaged")

// An Encryption is how a key file is protected.
type Encryption string

// The encryptions, by generation; files are written with the last one.
const (
	Plain  Encryption = ""
	Fernet Encryption = "Fernet"
	Vault  Encryption = "Ansible Vault"
	NaCl   Encryption = "NaCl"
)

// encryptions are the first bytes of encrypted files.
var encryptions = [...]struct {
	magic  string
	scheme Encryption
}{
	{"$NACL", NaCl},
	{"$ANSIBLE_VAULT", Vault},
	{"gAAAAA", Fernet},
}

// encryption tells from the first bytes of a file how it is encrypted.
func encryption(b []byte) Encryption {
	for _, e := range encryptions {
		if bytes.HasPrefix(b, []byte(e.magic)) {
			return e.scheme
		}
	}
	return Plain
}

// open decrypts a file. What it returns is secret.
func open(b []byte, password Password, c cost) ([]byte, error) {
	switch encryption(b) {
	case NaCl:
		return openNaCl(b, password, c)
	case Vault:
		return openVault(b, password)
	case Fernet:
		return openFernet(b, password)
	}
	return nil, errors.New("the file is not encrypted")
}

// A cost is what it takes to make a key of a password with Argon2i. It is no
// part of a file; tests have a lesser one.
type cost struct{ passes, kib uint32 }

// sensitive is libsodium's OPSLIMIT_SENSITIVE and MEMLIMIT_SENSITIVE for
// crypto_pwhash_argon2i13, with which all wallet tools encrypt.
var sensitive = cost{8, 512 << 10}

// naclSalt is the same for everybody: one dictionary of passwords serves for
// all wallets. It is what the other tools expect.
var naclSalt = []byte{0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1}

const (
	naclMagic = "$NACL"
	naclHead  = len(naclMagic) + 24 // then the box
)

func naclKey(password Password, c cost) (*[32]byte, error) {
	if c == (cost{}) {
		c = sensitive
	}
	if free, ok := availableMemory(); ok && free < uint64(c.kib)<<10 {
		return nil, subnet.WithHint(
			fmt.Errorf("this encryption takes %d MiB of memory, and %d MiB are free", c.kib>>10, free>>20),
			"stop other programs, or raise the limit of the container")
	}
	key := argon2.Key(password, naclSalt, c.passes, c.kib, 1, 32)
	if c.kib >= 1<<16 {
		runtime.GC() // let go of the half gigabyte before anybody takes as much again
	}
	return (*[32]byte)(key), nil
}

func openNaCl(b []byte, password Password, c cost) ([]byte, error) {
	if len(b) < naclHead+secretbox.Overhead {
		return nil, errors.New("the encrypted file is cut off")
	}
	key, err := naclKey(password, c)
	if err != nil {
		return nil, err
	}
	defer clear(key[:])
	return openBox(b[naclHead:], (*[24]byte)(b[len(naclMagic):]), key)
}

func openBox(box []byte, nonce *[24]byte, key *[32]byte) ([]byte, error) {
	plain, ok := secretbox.Open(nil, box, nonce, key)
	if !ok {
		return nil, ErrPassword
	}
	return plain, nil
}

// seal encrypts a key file as today's wallet library does.
func seal(plain []byte, password Password, c cost) ([]byte, error) {
	key, err := naclKey(password, c)
	if err != nil {
		return nil, err
	}
	defer clear(key[:])
	var nonce [24]byte
	rand.Read(nonce[:]) // never fails
	return secretbox.Seal(append([]byte(naclMagic), nonce[:]...), plain, &nonce, key), nil
}
