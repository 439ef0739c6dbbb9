package templar

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"adit/internal/subnet"
)

// A Keys is what one may do with a bucket: with the keys to read, which go on chain,
// and with those to write, which stay at home.
type Keys struct {
	Account, Bucket string // equal, of a bucket of gradients
	Read, Write     KeyPair
}

// A KeyPair is what S3 calls access key id and secret access key.
type KeyPair struct {
	ID     string `yaml:"access_key_id" json:"access_key_id"`
	Secret string `yaml:"secret_access_key" json:"secret_access_key"`
}

// A Store is one of the three kinds of buckets of the sparse generations, as the
// names of upstream's environment variables have it.
type Store string

// The three kinds.
const (
	GradientStore   Store = "GRADIENTS"
	AggregatorStore Store = "AGGREGATOR"
	DataSetStore    Store = "DATASET"
)

// EnvNames lists the environment variables of a store: those that a neuron of the
// sparse generations reads, and that write to the store.
func (s Store) EnvNames() []string {
	p := "R2_" + string(s) + "_"
	return []string{
		p + "ACCOUNT_ID", p + "BUCKET_NAME", p + "READ_ACCESS_KEY_ID", p + "READ_SECRET_ACCESS_KEY",
		p + "WRITE_ACCESS_KEY_ID", p + "WRITE_SECRET_ACCESS_KEY",
	}
}

// Environment variables besides those of the stores.
const (
	EnvDataSetList = "R2_DATASET_BUCKET_LIST" // JSON: see [ParseDataSets]
	EnvBinsPath    = "DATASET_BINS_PATH"      // the directory of the shards
	EnvAWSKey      = "AWS_ACCESS_KEY_ID"      // of the first generation
	EnvAWSSecret   = "AWS_SECRET_ACCESS_KEY"
)

// KeysFrom takes a store's keys from the environment. Those to write may be
// missing where they are not wanted.
func (s Store) KeysFrom(env map[string]string, write bool) (Keys, error) {
	names := s.EnvNames()
	k := Keys{env[names[0]], env[names[1]], KeyPair{env[names[2]], env[names[3]]}, KeyPair{env[names[4]], env[names[5]]}}
	var errs []error
	for i, name := range names {
		if env[name] == "" && (i < 4 || write) {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
	}
	if s == GradientStore && k.Account != k.Bucket && k.Account != "" && k.Bucket != "" {
		errs = append(errs, subnet.WithHint(fmt.Errorf("%s is not %s", names[1], names[0]),
			"other neurons know your bucket by its account's name alone: give both one name"))
	}
	return k, errors.Join(errs...)
}

// Address returns where the bucket is, with the keys to write or those to read.
func (r Rules) Address(k Keys, write bool) subnet.BucketAddress {
	pair := k.Read
	if write {
		pair = k.Write
	}
	a := subnet.BucketAddress{Region: r.Region, Name: k.Bucket, AccessKey: pair.ID, SecretKey: pair.Secret}
	a.Endpoint = r.endpoint(k.Account)
	a.Public = write && r.Commitment == BucketName // as upstream's objects are
	return a
}

// maxDataSets is how many buckets of one data set are taken.
const maxDataSets = 64

// ParseDataSets reads R2_DATASET_BUCKET_LIST: buckets that all hold the data set.
func ParseDataSets(text string) ([]Keys, error) {
	if len(text) > MaxJSON {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", EnvDataSetList, len(text), MaxJSON)
	}
	var wire []struct {
		Account     string `json:"account_id"`
		Name        string `json:"name"`
		Credentials struct {
			Read KeyPair `json:"read"`
		} `json:"credentials"`
	}
	if err := json.Unmarshal([]byte(text), &wire); err != nil {
		return nil, fmt.Errorf("%s: %w", EnvDataSetList, err)
	}
	if len(wire) > maxDataSets {
		return nil, fmt.Errorf("%s: %d buckets, want at most %d", EnvDataSetList, len(wire), maxDataSets)
	}
	var list []Keys
	for i, b := range wire {
		if b.Account == "" || b.Name == "" {
			return nil, fmt.Errorf("%s: bucket %d has no account_id or no name", EnvDataSetList, i)
		}
		list = append(list, Keys{Account: b.Account, Bucket: b.Name, Read: b.Credentials.Read})
	}
	return list, nil
}

// ParseEnvYAML reads .env.yaml, in which a neuron of r2 has its keys. Its bucket
// has the name of its account.
func ParseEnvYAML(data []byte) (Keys, error) {
	if len(data) > 1<<16 {
		return Keys{}, fmt.Errorf(".env.yaml: %d bytes", len(data))
	}
	var wire struct {
		Account string  `yaml:"account_id"`
		Read    KeyPair `yaml:"read"`
		Write   KeyPair `yaml:"write"`
	}
	if err := yaml.Unmarshal(data, &wire); err != nil {
		return Keys{}, fmt.Errorf(".env.yaml: %w", err)
	}
	if slices.Contains([]string{wire.Account, wire.Read.ID, wire.Read.Secret, wire.Write.ID, wire.Write.Secret}, "") {
		return Keys{}, subnet.WithHint(errors.New(".env.yaml: something is missing"),
			"it has account_id, and under read and write an access_key_id and a secret_access_key each")
	}
	return Keys{wire.Account, wire.Account, wire.Read, wire.Write}, nil
}
