package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// sim app ID FILE SCOPE...: a GitHub App that is installed on these scopes, with
// its key in FILE.
func simApp(w *world, ts *testscript.TestScript, args []string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	w.server.AddApp(args[0], &key.PublicKey, args[2:]...)
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return os.WriteFile(ts.MkAbs(args[1]), block, 0o600)
}
