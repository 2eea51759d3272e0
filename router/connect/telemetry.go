package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
)

// Sample is one reading of this machine. Every figure is a whole number, so that plugins need no floating point.
type Sample struct {
	Host         string `json:"host"`
	CPUMilli     int64  `json:"cpu_milli"` // thousandths of one processor in use since the reading before
	MemUsedKiB   int64  `json:"mem_used_kib"`
	MemTotalKiB  int64  `json:"mem_total_kib"`
	DiskUsedKiB  int64  `json:"disk_used_kib"` // of the file system that the folder of Reader is on
	DiskTotalKiB int64  `json:"disk_total_kib"`
	NetRxBytes   int64  `json:"net_rx_bytes"` // over all interfaces since the machine started
	NetTxBytes   int64  `json:"net_tx_bytes"`
	AtMs         int64  `json:"at_ms"` // Unix time
}

// Reader takes samples.
type Reader struct {
	host   string
	folder string
	busy   float64 // seconds of processor time in use at the reading before
	at     time.Time
}

// NewReader returns a reader that reports the disk which folder is on.
func NewReader(folder string) *Reader {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &Reader{host: host, folder: folder}
}

// Read takes a sample. What this system does not tell stays zero and is named in the error beside the sample.
func (r *Reader) Read(ctx context.Context, now time.Time) (Sample, error) {
	s := Sample{Host: r.host, AtMs: now.UnixMilli()}
	var failed []error
	if times, err := cpu.TimesWithContext(ctx, false); err != nil || len(times) == 0 {
		failed = append(failed, fmt.Errorf("processor: %w", orEmpty(err)))
	} else {
		t := times[0]
		busy := t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
		if elapsed := now.Sub(r.at).Seconds(); !r.at.IsZero() && elapsed > 0 && busy >= r.busy {
			s.CPUMilli = int64(math.Round((busy - r.busy) / elapsed * 1000))
		}
		r.busy, r.at = busy, now
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err != nil {
		failed = append(failed, fmt.Errorf("memory: %w", err))
	} else {
		s.MemUsedKiB, s.MemTotalKiB = kib(m.Used), kib(m.Total)
	}
	if d, err := disk.UsageWithContext(ctx, r.folder); err != nil {
		failed = append(failed, fmt.Errorf("disk: %w", err))
	} else {
		s.DiskUsedKiB, s.DiskTotalKiB = kib(d.Used), kib(d.Total)
	}
	if n, err := net.IOCountersWithContext(ctx, false); err != nil || len(n) == 0 {
		failed = append(failed, fmt.Errorf("network: %w", orEmpty(err)))
	} else {
		s.NetRxBytes, s.NetTxBytes = whole(n[0].BytesRecv), whole(n[0].BytesSent)
	}
	return s, errors.Join(failed...)
}

var errNothing = errors.New("the system reports nothing")

func orEmpty(err error) error {
	if err == nil {
		return errNothing
	}
	return err
}

func kib(bytes uint64) int64 { return whole(bytes / 1024) }

func whole(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

type telemetry struct {
	reader   *Reader
	interval time.Duration
	sink     Sink
	log      zerolog.Logger
}

// NewTelemetry returns an input that sends a Sample as JSON at every interval. While the sink refuses, no samples are taken.
func NewTelemetry(reader *Reader, interval time.Duration, sink Sink, log zerolog.Logger) Input {
	return &telemetry{reader: reader, interval: interval, sink: sink, log: log}
}

func (t *telemetry) Run(ctx context.Context) error {
	ticker := time.NewTicker(t.interval)
	defer ticker.Stop()
	said := false
	for {
		sample, err := t.reader.Read(ctx, time.Now())
		if err != nil && ctx.Err() == nil && !said {
			said = true // the same every second otherwise
			t.log.Warn().Err(err).Msg("some telemetry cannot be read on this system; it is reported as 0")
		}
		data, err := json.Marshal(sample)
		if err != nil {
			return fmt.Errorf("encode telemetry: %w", err)
		}
		if deliver(ctx, t.sink, t.log, [][]byte{data}, nil) != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
