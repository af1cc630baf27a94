//go:build e2e && linux

package hostile_test

// property is what systemd says of the unit.
func (s *scene) property(key string) string {
	s.t.Helper()
	return s.Must("systemctl", "show", "--property="+key, "--value", s.unit())
}
