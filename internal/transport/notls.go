package transport

import (
	"crypto/tls"
	"errors"
)

// ErrNoTLS means that something without TLS answers at an address of https: a port that is another's, a portal that is in the way.
var ErrNoTLS = errors.New("it speaks no TLS there")

// noTLSError is the error of who has begun to speak TLS to somebody who does not.
type noTLSError struct{ cause tls.RecordHeaderError }

// Error repeats nothing of what was said: it may be any bytes.
func (e *noTLSError) Error() string {
	if string(e.cause.RecordHeader[:]) == "HTTP/" {
		return ErrNoTLS.Error() + ", but HTTP"
	}
	return ErrNoTLS.Error()
}

// Is matches [ErrNoTLS].
func (e *noTLSError) Is(target error) bool { return target == ErrNoTLS }

// Unwrap is the error of crypto/tls.
func (e *noTLSError) Unwrap() error { return e.cause }

// withoutTLS finds in an error that a handshake has met no TLS; nil if it has not.
func withoutTLS(err error) error {
	refused := &noTLSError{}
	if !errors.As(err, &refused.cause) || refused.cause.Conn == nil { // later, it is a fault of the way
		return nil
	}
	return refused
}
