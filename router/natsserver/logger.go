package natsserver

import (
	"fmt"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// logger gives the server's words to zerolog. What the server calls fatal ends the start, not the process.
type logger struct {
	log   zerolog.Logger
	fatal chan string
	quiet atomic.Bool
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }

func (l *logger) Warnf(format string, v ...any) {
	if !l.quiet.Load() {
		l.log.Warn().Msgf(format, v...)
	}
}

func (l *logger) Errorf(format string, v ...any) {
	if !l.quiet.Load() {
		l.log.Error().Msgf(format, v...)
	}
}

func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}
