// Command hub is the Go side of the conformance test run.sh: it serves a model
// hub on a free port for huggingface_hub, and is the client that publishes to
// it and downloads from it.
//
//	hub serve DIR                          prints the URL, serves until killed
//	hub publish URL TOKEN REPO FILE…       prints the revision
//	hub get URL REPO REVISION PATH FILE    downloads to FILE, resuming it
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

	"adit/internal/exchange"
	"adit/internal/local/hub"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	case len(args) > 4 && args[0] == "publish":
		return publish(args[1], args[2], args[3], args[4:])
	case len(args) == 6 && args[0] == "get":
		return get(args[1], args[2], args[3], args[4], args[5])
	}
	return errors.New("usage: hub serve DIR | publish URL TOKEN REPO FILE… | get URL REPO REVISION PATH FILE")
}

func serve(dir string) error {
	h, err := hub.Open(dir, hub.Options{
		Tokens:   map[string]string{"hf_alice": "alice", "hf_bob": "bob"},
		PartSize: 5 << 20, // so that a small test meets uploads in parts
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return srv.Serve(l)
}

func publish(url, token, repo string, files []string) error {
	s, err := exchange.Open("hf://"+repo, exchange.Options{HubEndpoint: url, Token: token})
	if err != nil {
		return err
	}
	for _, name := range files {
		f, err := open(name)
		if err != nil {
			return err
		}
		err = s.Stage(context.Background(), filepath.Base(name), f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	revision, err := s.Publish(context.Background(), "published by the Go client")
	if err != nil {
		return err
	}
	fmt.Println(revision)
	return nil
}

// file is a subnet.File on disk.
type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

func open(name string) (file, error) {
	f, err := os.Open(name)
	if err != nil {
		return file{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return file{}, errors.Join(err, f.Close())
	}
	return file{f, info.Size()}, nil
}

func get(url, repo, revision, path, to string) error {
	s, err := exchange.Open("hf://"+repo, exchange.Options{HubEndpoint: url})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	err = s.Get(context.Background(), revision, path, draft{f}, 1<<30)
	return errors.Join(err, f.Close())
}

// draft is a subnet.Draft on disk, in the place where it will stay.
type draft struct{ *os.File }

func (d draft) Size() int64 {
	info, err := d.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

func (d draft) Commit() error { return d.Sync() }
