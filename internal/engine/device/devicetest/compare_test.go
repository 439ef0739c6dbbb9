package devicetest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/ref"
)

func TestCompareAlike(t *testing.T) {
	for seed := range uint64(5) {
		if err := Compare(ref.New(), ref.New(), seed); err != nil {
			t.Errorf("the reference with itself, seed %d: %v", seed, err)
		}
	}
}

// TestCompareFaults spoils one operation after the other. Each must be found,
// and nothing be called faulty that is not built upon it.
func TestCompareFaults(t *testing.T) {
	good := reflect.TypeFor[device.Device]()
	memory := []string{"Name", "NewBuf", "NewInts", "Upload", "UploadInts", "Download", "DownloadInts", "Sync"} // used by all
	uses := map[string][]string{"Attend": {"AttendGrad"}, "TopK": {"TopKGrad"}}
	for i := range good.NumMethod() {
		op := good.Method(i).Name
		if slices.Contains(memory, op) {
			continue
		}
		t.Run(op, func(t *testing.T) {
			err := Compare(&faulty{ref.New(), op}, ref.New(), 1)
			if err == nil {
				t.Fatal("its fault was not found")
			}
			for line := range strings.Lines(err.Error()) {
				if name, _, _ := strings.Cut(line, ":"); name != op && !slices.Contains(uses[op], name) {
					t.Errorf("%s is called faulty: %s", name, line)
				}
			}
		})
	}
}

// TestComparePanic passes a device that panics.
func TestComparePanic(t *testing.T) {
	err := Compare(broken{ref.New()}, ref.New(), 1)
	if err == nil || !strings.Contains(err.Error(), "Zero: panic: out of luck") || !strings.Contains(err.Error(), "NewBuf: integers") {
		t.Errorf("error %v", err)
	}
}

// broken has ints that are not 0, and cannot set a vector to 0.
type broken struct{ device.Device }

func (b broken) NewInts(n int) device.Ints {
	v := b.Device.NewInts(n)
	b.UploadInts(v, slices.Repeat([]int32{7}, n))
	return v
}

func (broken) Zero(device.Buf) { panic("out of luck") }

func BenchmarkCompare(b *testing.B) {
	for b.Loop() {
		if err := Compare(ref.New(), ref.New(), 1); err != nil {
			b.Fatal(err)
		}
	}
}
