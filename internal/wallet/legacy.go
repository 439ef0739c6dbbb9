package wallet

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	// vaultHeader is the first line of files of the SDK's versions 2 to 5.
	vaultHeader = "$ANSIBLE_VAULT;1.1;AES256"
	vaultPasses = 10_000

	// fernetSalt and fernetPasses are those of the SDK before version 2.
	fernetSalt   = "Iguesscyborgslikemyselfhaveatendencytobeparanoidaboutourorigins"
	fernetPasses = 10_000_000
)

var errDamaged = errors.New("the encrypted file is damaged")

// openVault decrypts an Ansible Vault 1.1: hexadecimal digits in lines, of
// three lines of hexadecimal digits, which are the salt, the hash of what
// follows, and that: AES-256 in counter mode with PKCS #7 padding.
func openVault(b []byte, password Password) ([]byte, error) {
	salt, sum, text, err := splitVault(b)
	if err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(sha256.New, string(password), salt, vaultPasses, 32+32+aes.BlockSize)
	if err != nil {
		return nil, fmt.Errorf("make key of password: %w", err)
	}
	defer clear(key)
	if !authentic(key[32:64], text, sum) {
		return nil, ErrPassword
	}
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		return nil, err // unreachable: the length is right
	}
	cipher.NewCTR(block, key[64:]).XORKeyStream(text, text)
	return unpad(text)
}

// splitVault returns the three parts of a vault.
func splitVault(b []byte) (salt, sum, text []byte, err error) {
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	if head = bytes.TrimRight(head, " \r"); string(head) != vaultHeader {
		return nil, nil, nil, fmt.Errorf("an Ansible Vault begins with %s; this is another version", vaultHeader)
	}
	lines, err := hex.DecodeString(string(bytes.Join(bytes.Fields(rest), nil)))
	if err != nil {
		return nil, nil, nil, errDamaged
	}
	parts := bytes.Split(lines, []byte("\n"))
	if len(parts) != 3 {
		return nil, nil, nil, errDamaged
	}
	for i, p := range parts {
		if parts[i], err = hex.DecodeString(string(p)); err != nil {
			return nil, nil, nil, errDamaged
		}
	}
	return parts[0], parts[1], parts[2], nil
}

// openFernet decrypts a token in letters: a version, eight bytes of time, an
// initial vector, AES-128 in chained blocks with PKCS #7 padding, and the hash
// of it all.
func openFernet(b []byte, password Password) ([]byte, error) {
	token, err := base64.URLEncoding.DecodeString(string(bytes.TrimSpace(b)))
	if err != nil || len(token) < 1+8+aes.BlockSize+sha256.Size || token[0] != 0x80 {
		return nil, errDamaged
	}
	key, err := pbkdf2.Key(sha256.New, string(password), []byte(fernetSalt), fernetPasses, 32)
	if err != nil {
		return nil, fmt.Errorf("make key of password: %w", err)
	}
	defer clear(key)
	return openToken(token, key)
}

func openToken(token, key []byte) ([]byte, error) {
	body, sum := token[:len(token)-sha256.Size], token[len(token)-sha256.Size:]
	if !authentic(key[:16], body, sum) {
		return nil, ErrPassword
	}
	iv, text := body[9:9+aes.BlockSize], body[9+aes.BlockSize:]
	block, err := aes.NewCipher(key[16:])
	if err != nil {
		return nil, err // unreachable: the length is right
	}
	if len(text)%aes.BlockSize != 0 {
		return nil, errDamaged
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(text, text)
	return unpad(text)
}

func authentic(key, text, sum []byte) bool {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return hmac.Equal(h.Sum(nil), sum)
}

// unpad removes PKCS #7 padding to whole blocks of AES.
func unpad(b []byte) ([]byte, error) {
	if len(b) == 0 || len(b)%aes.BlockSize != 0 {
		return nil, errDamaged
	}
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, errDamaged
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, errDamaged
		}
	}
	return b[:len(b)-n], nil
}
