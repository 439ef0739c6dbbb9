package telemetry

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A WandBFile is the transaction log of a run, which 'wandb sync' takes:
//
//	wandb/offline-run-20261121_102808-4xk2m7qa/run-4xk2m7qa.wandb
//
// It is a log in LevelDB's format, of protobuf messages Record
// (wandb/proto/wandb_internal.proto). A process that is killed leaves a log that
// ends without a word, and can be read.
type WandBFile struct {
	run     WandBRun
	dir     string
	file    *appendFile
	records uint64
	summary map[string]string // the newest value of each key
	last    time.Time
}

// CreateWandBFile begins the log of a run in a directory of its own under
// parent/wandb. The directory of a run that is online too is called "run-…".
func CreateWandBFile(parent string, run WandBRun, online bool) (*WandBFile, error) {
	prefix := "offline-run"
	if online {
		prefix = "run"
	}
	dir := filepath.Join(parent, "wandb", fmt.Sprintf("%s-%s-%s", prefix, run.Start.Format("20060102_150405"), run.ID))
	// 'wandb sync' puts files of its own into "files", and takes it to be there.
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o755); err != nil {
		return nil, fmt.Errorf("begin a W&B run: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "run-"+run.ID+".wandb"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("begin a W&B run: %w", err)
	}
	w := &WandBFile{run: run, dir: dir, file: &appendFile{f: f}, summary: make(map[string]string), last: run.Start}
	if err := w.begin(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("begin a W&B run: %w", err)
	}
	return w, nil
}

// Dir returns the run's directory.
func (w *WandBFile) Dir() string { return w.dir }

// wandbHeader begins the file: the format's name, its magic number and version.
var wandbHeader = []byte{':', 'W', '&', 'B', 0xe1, 0xbe, 0}

// The numbers of fields in the messages. Record is a union of the others.
const (
	recordNum     = 1
	recordHistory = 2
	recordSummary = 3
	recordRun     = 17
	recordExit    = 18
	recordHeader  = 21
)

func (w *WandBFile) begin() error {
	if err := w.file.write(wandbHeader); err != nil {
		return err
	}
	version := protoBytes(nil, 1, []byte("0.21.0")) // producer: whose records these are like
	version = protoBytes(version, 2, []byte("0.9.0"))
	if err := w.record(recordHeader, protoBytes(nil, 1, version)); err != nil {
		return err
	}
	var config []byte
	for _, key := range slices.Sorted(maps.Keys(w.run.Config)) {
		b, err := json.Marshal(w.run.Config[key])
		if err != nil {
			return fmt.Errorf("setting %s: %w", key, err)
		}
		config = protoBytes(config, 1, wandbProto(wandbItem{key, string(b)}))
	}
	run := protoBytes(nil, 1, []byte(w.run.ID))
	if w.run.Entity != "" {
		run = protoBytes(run, 2, []byte(w.run.Entity))
	}
	run = protoBytes(run, 3, []byte(w.run.Project))
	run = protoBytes(run, 4, config)
	run = protoBytes(run, 8, []byte(w.run.Name))
	for _, tag := range w.run.Tags {
		run = protoBytes(run, 10, []byte(tag))
	}
	start := protoVarint(nil, 1, uint64(w.run.Start.Unix()))
	start = protoVarint(start, 2, uint64(w.run.Start.Nanosecond()))
	return w.record(recordRun, protoBytes(run, 17, start))
}

// WriteRow implements [RowWriter].
func (w *WandBFile) WriteRow(r Row) error {
	var history, summary []byte
	for _, item := range wandbItems(w.run, r) {
		history = protoBytes(history, 1, wandbProto(item))
		if w.summary[item.key] != item.json {
			w.summary[item.key] = item.json
			summary = protoBytes(summary, 1, wandbProto(item))
		}
	}
	history = protoBytes(history, 2, protoVarint(nil, 1, uint64(w.run.First+r.Number))) // HistoryRecord.step
	w.last = r.At
	err := w.record(recordHistory, history)
	if err == nil {
		err = w.record(recordSummary, summary)
	}
	if err != nil {
		return fmt.Errorf("write W&B run: %w", err)
	}
	return nil
}

// Close ends the run: it went well.
func (w *WandBFile) Close() error {
	exit := protoVarint(nil, 1, 0)
	exit = protoVarint(exit, 2, uint64(max(0, w.last.Sub(w.run.Start).Seconds())))
	if err := w.record(recordExit, exit); err != nil {
		return fmt.Errorf("end W&B run: %w", err)
	}
	return w.file.Close()
}

// wandbProto is the message HistoryItem, SummaryItem or ConfigItem, which are
// alike.
func wandbProto(item wandbItem) []byte {
	b := protoBytes(nil, 1, []byte(item.key))
	return protoBytes(b, 16, []byte(item.json))
}

// record appends a Record with one message in it.
func (w *WandBFile) record(field int, message []byte) error {
	b := protoVarint(nil, recordNum, w.records+1)
	b = protoBytes(b, field, message)
	if err := w.file.write(levelLog(w.file.size, b)); err != nil {
		return err
	}
	w.records++
	return nil
}

// A log has blocks of 32 KiB, W&B's header being part of the first. A record is
// cut into chunks that end with their blocks, each behind its checksum, length
// and type.
const (
	blockSize   = 32 << 10
	chunkHeader = 7
)

// The types of chunks.
const (
	chunkFull = 1 + iota
	chunkFirst
	chunkMiddle
	chunkLast
)

// levelLog returns what to append to a log of size bytes for it to hold one more
// record.
func levelLog(size int64, record []byte) []byte {
	var b []byte
	for first := true; ; first = false {
		room := blockSize - int((size+int64(len(b)))%blockSize)
		if room < chunkHeader { // too little for a chunk: the rest is left empty
			b = append(b, make([]byte, room)...)
			room = blockSize
		}
		part := record[:min(len(record), room-chunkHeader)]
		record = record[len(part):]
		kind := byte(chunkMiddle)
		switch last := len(record) == 0; {
		case first && last:
			kind = chunkFull
		case first:
			kind = chunkFirst
		case last:
			kind = chunkLast
		}
		// Unlike LevelDB, whose checksums are CRC-32C and masked.
		sum := crc32.Update(crc32.ChecksumIEEE([]byte{kind}), crc32.IEEETable, part)
		b = binary.LittleEndian.AppendUint32(b, sum)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(part)))
		b = append(append(b, kind), part...)
		if len(record) == 0 {
			return b
		}
	}
}
