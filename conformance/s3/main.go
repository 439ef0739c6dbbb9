// Command s3 is the Go side of the conformance test run.sh: it serves the local
// network's object store for boto3, and is the client that reads and writes what
// boto3 wrote and reads.
//
//	s3 serve DIR                        prints the URL, serves until killed
//	s3 put URL BUCKET KEY FILE          by the writing key, in parts if it is large
//	s3 get URL BUCKET KEY FILE          by the reading key, resuming FILE
//	s3 list URL BUCKET PREFIX           by the reading key
//
// foreign_test.go holds the client to its contract against another server.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"adit/internal/exchange/s3"
	"adit/internal/journal"
	local "adit/internal/local/s3"
	"adit/internal/subnet"
)

// The keys of the bucket: 32 and 64 digits, as R2 gives them.
var (
	reader = local.Key{Access: "00000000000000000000000000000001", Secret: "0000000000000000000000000000000000000000000000000000000000000001"}
	writer = local.Key{Access: "00000000000000000000000000000002", Secret: "0000000000000000000000000000000000000000000000000000000000000002"}
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "s3:", err)
		if hint := subnet.Hint(err); hint != "" {
			fmt.Fprintln(os.Stderr, "hint:", hint)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	case len(args) == 5 && args[0] == "put":
		return put(args[1], args[2], args[3], args[4])
	case len(args) == 5 && args[0] == "get":
		return get(args[1], args[2], args[3], args[4])
	case len(args) == 4 && args[0] == "list":
		return list(args[1], args[2], args[3])
	}
	return errors.New("usage: s3 serve DIR | put URL BUCKET KEY FILE | get URL BUCKET KEY FILE | list URL BUCKET PREFIX")
}

func serve(dir string) error {
	store, err := local.Open(dir, local.Options{Buckets: []local.Bucket{
		{Name: "gradients", Read: reader, Write: writer},
		{Name: "shared", Write: writer, Public: true},
	}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	srv := &http.Server{Handler: store, ReadHeaderTimeout: 10 * time.Second}
	return srv.Serve(l)
}

func open(url, name string, key local.Key) (*s3.Bucket, error) {
	return s3.Open(subnet.BucketAddress{Endpoint: url, Region: "auto", Name: name, AccessKey: key.Access, SecretKey: key.Secret}, s3.Options{})
}

func put(url, name, key, file string) error {
	b, err := open(url, name, writer)
	if err != nil {
		return err
	}
	dir, err := journal.OpenDir(filepath.Dir(file))
	if err != nil {
		return err
	}
	f, err := dir.Open(filepath.Base(file))
	if err != nil {
		return err
	}
	defer f.Close()
	o, err := b.Put(context.Background(), key, f, false)
	if err != nil {
		return err
	}
	fmt.Println(o.ETag)
	return nil
}

func get(url, name, key, file string) error {
	b, err := open(url, name, reader)
	if err != nil {
		return err
	}
	dir, err := journal.OpenDir(filepath.Dir(file))
	if err != nil {
		return err
	}
	o, err := b.Stat(context.Background(), key)
	if err != nil {
		return err
	}
	d, err := dir.Resume(filepath.Base(file))
	if err != nil {
		return err
	}
	if err := b.Get(context.Background(), o, d, 1<<30); err != nil {
		return errors.Join(err, d.Close())
	}
	fmt.Println(o.ETag)
	return d.Commit()
}

func list(url, name, prefix string) error {
	b, err := open(url, name, reader)
	if err != nil {
		return err
	}
	all, err := b.List(context.Background(), prefix, "", 1<<20)
	for _, o := range all {
		fmt.Println(o.Key, o.Size, o.ETag)
	}
	return err
}
