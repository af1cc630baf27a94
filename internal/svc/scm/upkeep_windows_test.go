package scm

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A job, which is a service, and who is logged on may look at a service of ours, and neither tell it anything nor change it. That
// Windows keeps to the list cannot be shown here: Wine takes it, and keeps nobody out.
func TestClosed(t *testing.T) {
	t.Parallel()
	descriptor, err := windows.SecurityDescriptorFromString(closed)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := descriptor.DACL()
	if err != nil {
		t.Fatal(err)
	}
	const (
		looks   = windows.SERVICE_QUERY_CONFIG | windows.SERVICE_QUERY_STATUS | windows.SERVICE_ENUMERATE_DEPENDENTS | windows.SERVICE_INTERROGATE
		tells   = windows.SERVICE_START | windows.SERVICE_STOP | windows.SERVICE_PAUSE_CONTINUE | windows.SERVICE_USER_DEFINED_CONTROL
		changes = windows.SERVICE_CHANGE_CONFIG | windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER
	)
	want := map[string]windows.ACCESS_MASK{
		"S-1-5-18":     looks | tells | windows.READ_CONTROL,
		"S-1-5-32-544": looks | tells | changes | windows.READ_CONTROL,
		"S-1-5-4":      looks | windows.READ_CONTROL, // logged on
		"S-1-5-6":      looks | windows.READ_CONTROL, // services
	}
	for i := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &entry); err != nil {
			t.Fatal(err)
		}
		who := (*windows.SID)(unsafe.Pointer(&entry.SidStart)).String()
		if entry.Mask != want[who] {
			t.Errorf("%s has %#x, want %#x", who, entry.Mask, want[who])
		}
		delete(want, who)
	}
	if len(want) > 0 {
		t.Errorf("not in the list: %v", want)
	}
}
