package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"adit/internal/data"
	"adit/internal/local/pages"
	"adit/internal/local/s3"
	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// A serverFlags is what a local server takes.
type serverFlags struct {
	JSON       bool `help:"Report in JSON, one object a line."`
	Supervised bool `hidden:"" help:"Report in JSON, and end when standard input does."`
}

// serve answers at a port of this machine until ctx is done. open makes what answers.
func (f serverFlags) serve(ctx context.Context, t terminal, what string, port int, open func(context.Context, *telemetry.Bus) (http.Handler, []slog.Attr, error)) error {
	ctx, stop := supervised(ctx, t, f.Supervised)
	defer stop()
	bus, end := reports(t, f.JSON || f.Supervised)
	defer end()
	handler, attrs, err := open(ctx, bus)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return subnet.WithHint(err, "another one may be running: end it, or choose another --port")
	}
	bus.Emit(subnet.Event{Kind: "serving", Text: what + " ready", Attrs: append([]slog.Attr{slog.String("url", "http://"+listener.Addr().String())}, attrs...)})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return group.Wait()
}

// S3Command is about the local object store.
type S3Command struct {
	Serve S3ServeCommand `cmd:"" help:"Run a local object store."`
}

// S3ServeCommand runs an object store.
type S3ServeCommand struct {
	Dir  string `required:"" placeholder:"DIR" help:"Where the buckets are kept."`
	Port int    `default:"9000" help:"Port on 127.0.0.1."`
	Keys string `placeholder:"FILE" help:"The buckets and who may do what: lines of a bucket, read or write, an access key and its secret. A line of a bucket and public lets everybody read it."`
	serverFlags
}

// Help shows examples.
func (S3ServeCommand) Help() string {
	return `An object store that speaks S3: a neuron finds it by its setting s3.endpoint, other
programs by AWS_ENDPOINT_URL.

Examples:
  adit s3 serve --dir store --keys keys.txt
  AWS_ENDPOINT_URL=http://127.0.0.1:9000 aws s3 ls s3://mine`
}

// Run serves until it is interrupted.
func (c S3ServeCommand) Run(ctx context.Context, t terminal) error {
	return c.serve(ctx, t, "object store", c.Port, func(_ context.Context, bus *telemetry.Bus) (http.Handler, []slog.Attr, error) {
		buckets, err := readBuckets(c.Keys)
		if err != nil {
			return nil, nil, err
		}
		store, err := s3.Open(c.Dir, s3.Options{Buckets: buckets, Emit: bus.Emit})
		return store, []slog.Attr{slog.String("dir", c.Dir), slog.Int("grants", len(buckets))}, err
	})
}

// readBuckets reads who may do what with which bucket.
func readBuckets(path string) ([]s3.Bucket, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []s3.Bucket
	public := make(map[string]bool)
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
		case len(f) == 4 && f[1] == "read":
			list = append(list, s3.Bucket{Name: f[0], Read: s3.Key{Access: f[2], Secret: f[3]}})
		case len(f) == 4 && f[1] == "write":
			list = append(list, s3.Bucket{Name: f[0], Write: s3.Key{Access: f[2], Secret: f[3]}})
		case len(f) == 2 && f[1] == "public":
			list = append(list, s3.Bucket{Name: f[0]})
			public[f[0]] = true
		default:
			return nil, subnet.WithHint(fmt.Errorf("%s:%d: not a bucket and a key", path, n),
				"each line is a bucket, read or write, an access key and its secret; or a bucket and public")
		}
	}
	for i := range list {
		list[i].Public = public[list[i].Name]
	}
	return list, nil
}

// PagesCommand is about the local server of a data set.
type PagesCommand struct {
	Serve PagesServeCommand `cmd:"" help:"Run a local server of a data set."`
}

// PagesServeCommand runs a data set server.
type PagesServeCommand struct {
	Data     []string `required:"" sep:"none" placeholder:"PATH" help:"Text: a file or folder of text, JSONL or Parquet. May be given again: each is one part of the set, or more."`
	Port     int      `default:"8700" help:"Port on 127.0.0.1."`
	Set      []string `sep:"none" placeholder:"NAME" help:"Names under which the set is asked for. May be given again; any, if none is given."`
	RowBytes int      `default:"8192" placeholder:"N" help:"How long a row is at most (${default})."`
	serverFlags
}

// Help shows examples.
func (PagesServeCommand) Help() string {
	return `Serves your text by pages of a hundred rows, as the data set server of Hugging Face
does: a neuron finds it by its setting dataset.url.

Examples:
  adit pages serve --data books/
  adit pages serve --data a.jsonl --data b.parquet --row-bytes 512`
}

// Run serves until it is interrupted.
func (c PagesServeCommand) Run(ctx context.Context, t terminal) error {
	return c.serve(ctx, t, "data set server", c.Port, func(ctx context.Context, _ *telemetry.Bus) (http.Handler, []slog.Attr, error) {
		var sources []data.Source
		for _, path := range slices.Compact(slices.Clone(c.Data)) {
			s, err := data.Files(path)
			if err != nil {
				return nil, nil, err
			}
			sources = append(sources, s)
		}
		server, err := pages.New(ctx, sources, pages.Options{Sets: c.Set, RowBytes: c.RowBytes})
		return server, []slog.Attr{slog.Any("data", c.Data)}, err
	})
}
