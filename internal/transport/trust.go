package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// What a [*CertificateError] can be matched against with errors.Is.
var (
	// ErrUntrusted means that a certificate was issued by nobody whom this host trusts.
	ErrUntrusted = errors.New("the certificate is not trusted")
	// ErrOtherHost means that a certificate is for other names than the one that was asked.
	ErrOtherHost = errors.New("the certificate is another host's")
	// ErrNotValidNow means that by this host's clock a certificate is not valid any more, or not yet.
	ErrNotValidNow = errors.New("the certificate is not valid now")
)

// CertificateError says why TLS did not accept the certificate of a server, or of a proxy. Nothing was sent there, and to
// ask again at once is of no use.
type CertificateError struct {
	Cause  *tls.CertificateVerificationError
	Nobody bool // this host trusts no authority at all
}

// Untrusted tells whether err is about a certificate that was refused, by this package's clients or by crypto/tls.
func Untrusted(err error) bool {
	var cause *tls.CertificateVerificationError
	return errors.As(err, &cause)
}

// Certificate finds the refused certificate in an error; nil without one. Roots are who is trusted, nil for the system's.
func Certificate(err error, roots *x509.CertPool) *CertificateError {
	var known *CertificateError
	if errors.As(err, &known) {
		return known
	}
	refused := &CertificateError{}
	if !errors.As(err, &refused.Cause) {
		return nil
	}
	if roots == nil {
		roots, err = x509.SystemCertPool()
		refused.Nobody = err != nil || roots.Equal(x509.NewCertPool())
	}
	return refused
}

// explained has an error of net/http say what is wrong with a certificate, or that there is no TLS.
func explained(err error, roots *x509.CertPool) error {
	if refused := Certificate(err, roots); refused != nil {
		return refused
	}
	if plain := withoutTLS(err); plain != nil {
		return plain
	}
	return err
}

// Error is one line, of a text that goes on after a host's name.
func (e *CertificateError) Error() string {
	var expired x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case e.Is(ErrNotValidNow) && errors.As(e.Cause, &expired) && expired.Cert != nil:
		return fmt.Sprintf("its certificate is valid from %s to %s, and the clock of this host shows %s",
			day(expired.Cert.NotBefore), day(expired.Cert.NotAfter), day(time.Now()))
	case e.Is(ErrNotValidNow):
		return "its certificate is not valid at the time of this host's clock"
	case e.Is(ErrOtherHost) && errors.As(e.Cause, &name):
		return "its certificate is another host's: " + short(name).Error()
	case e.Is(ErrUntrusted) && e.Nobody:
		return "its certificate cannot be trusted: there is no certificate authority on this host (package ca-certificates)"
	case e.Is(ErrUntrusted):
		return "its certificate is not trusted; it was issued by " + e.issuer() + ", perhaps a proxy that looks into connections"
	}
	return e.Cause.Error()
}

// Is matches one of the sentinels.
func (e *CertificateError) Is(target error) bool { return target == e.reason() }

// Unwrap is the error of crypto/tls.
func (e *CertificateError) Unwrap() error { return e.Cause }

// reason is one of the sentinels; nil for what is wrong with the certificate itself.
func (e *CertificateError) reason() error {
	var unknown x509.UnknownAuthorityError
	var roots x509.SystemRootsError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(e.Cause, &unknown), errors.As(e.Cause, &roots):
		return ErrUntrusted
	case errors.As(e.Cause, &name):
		return ErrOtherHost
	case errors.As(e.Cause, &invalid) && invalid.Reason == x509.Expired:
		return ErrNotValidNow
	}
	return nil
}

// maxIssuer bounds what is repeated of a stranger's certificate.
const maxIssuer = 100

func (e *CertificateError) issuer() string {
	chain := e.Cause.UnverifiedCertificates
	if len(chain) == 0 {
		return "somebody unknown"
	}
	issuer := []rune(chain[len(chain)-1].Issuer.String())
	if len(issuer) > maxIssuer {
		issuer = append(issuer[:maxIssuer], []rune("...")...)
	}
	return fmt.Sprintf("%q", string(issuer))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
