package connect

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"
)

// stdin sends the lines of a stream. A stream cannot be read again, so lines that were not yet durable are lost with the process.
type stdin struct {
	reader io.Reader
	sink   Sink
	log    zerolog.Logger
	tag    func(number int64, text []byte) []byte
}

// NewStdin returns an input that makes a message of every line of r. With tagged set, each is JSON with its line number.
func NewStdin(r io.Reader, tagged bool, sink Sink, log zerolog.Logger) Input {
	s := &stdin{reader: r, sink: sink, log: log}
	if tagged {
		s.tag = newTagger("stdin").render
	}
	return s
}

type chunk struct {
	lines []line
	err   error
}

func (s *stdin) Run(ctx context.Context) error {
	chunks := make(chan chunk)
	// A blocked read of standard input cannot be interrupted, so this goroutine may outlive Run; it then ends with the
	// process, holding nothing but its buffer.
	go s.read(ctx, chunks)
	number := int64(1)
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-chunks:
			messages := make([][]byte, len(c.lines))
			for i, l := range c.lines {
				messages[i] = l.text
				if s.tag != nil {
					messages[i] = s.tag(number, l.text)
				}
				if l.last {
					number++
				}
			}
			if len(messages) > 0 {
				if err := deliver(ctx, s.sink, s.log, messages, nil); err != nil {
					return nil
				}
			}
			switch {
			case errors.Is(c.err, io.EOF):
				s.log.Info().Int64("lines", number-1).Msg("the input has ended")
				return nil
			case c.err != nil:
				return fmt.Errorf("read standard input: %w", c.err)
			}
		}
	}
}

func (s *stdin) read(ctx context.Context, out chan<- chunk) {
	var rest []byte
	for {
		buffer := make([]byte, len(rest)+maxBatchBytes)
		copy(buffer, rest)
		n, err := s.reader.Read(buffer[len(rest):])
		data := buffer[:len(rest)+n]
		for {
			lines := split(data, maxBatch, err != nil)
			c := chunk{lines: lines}
			if len(lines) > 0 {
				data = data[lines[len(lines)-1].end:]
			}
			if len(lines) < maxBatch {
				c.err = err
			}
			if len(lines) > 0 || c.err != nil {
				select {
				case out <- c:
				case <-ctx.Done():
					return
				}
			}
			if len(lines) < maxBatch {
				break
			}
		}
		if err != nil {
			return
		}
		rest = data
	}
}
