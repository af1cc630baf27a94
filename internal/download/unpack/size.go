package unpack

// Files is how many files the tree has, hard links not counted.
func (m *Manifest) Files() int {
	n := 0
	for i := range m.entries {
		if m.entries[i].kind == aFile {
			n++
		}
	}
	return n
}

// Bytes is how much their content takes.
func (m *Manifest) Bytes() int64 {
	var n int64
	for i := range m.entries {
		n += m.entries[i].size
	}
	return n
}
