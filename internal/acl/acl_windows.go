package acl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Administers tells whether this process is one of an administrator's that is elevated, or of the system's.
func Administers() bool {
	group, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil || !windows.GetCurrentProcessToken().IsElevated() {
		return false
	}
	member, err := windows.Token(0).IsMember(group)
	return err == nil && member
}

// self is the SID of this process's account; that of nobody if the system does not say.
func self() string {
	of, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "S-1-0-0"
	}
	return of.User.Sid.String()
}

// trusted tells whether somebody may change what this process uses.
func trusted(sid string) bool { return administers(sid) || sid == self() || isAdministrator(sid) }

// isAdministrator tells whether an account that somebody has made is one of this host's administrators, as far as the host knows:
// the system's service has to trust what one of them has installed with an account of their own.
func isAdministrator(sid string) bool {
	if !strings.HasPrefix(sid, "S-1-5-21-") {
		return false
	}
	known, err := user.LookupId(sid)
	if err != nil {
		return false
	}
	groups, err := known.GroupIds()
	return err == nil && slices.Contains(groups, administrators)
}

func nameOf(sid string) string {
	parsed, err := windows.StringToSid(sid)
	if err != nil {
		return ""
	}
	name, domain, _, err := parsed.LookupAccount("")
	if err != nil {
		return ""
	}
	return filepath.Join(domain, name)
}

// open opens a file, a folder or a link itself for what concerns its security.
func open(path string, rights uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	const how = windows.FILE_FLAG_BACKUP_SEMANTICS | windows.FILE_FLAG_OPEN_REPARSE_POINT
	handle, err := windows.CreateFile(name, rights, share, nil, windows.OPEN_EXISTING, how, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return handle, nil
}

// lookAt tells who may do what to a file, a folder or a link itself.
func lookAt(path string) (found, error) {
	handle, err := open(path, windows.READ_CONTROL)
	if err != nil {
		return found{}, err
	}
	defer func() { _ = windows.CloseHandle(handle) }() // nothing was written
	f, err := lookAtHandle(handle)
	if err != nil {
		return found{}, fmt.Errorf("reading who may use %q: %w", path, err)
	}
	return f, nil
}

func lookAtHandle(handle windows.Handle) (found, error) {
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION
	descriptor, err := windows.GetSecurityInfo(handle, windows.SE_FILE_OBJECT, what)
	if err != nil {
		return found{}, err
	}
	owner, _, err := descriptor.Owner()
	if err != nil {
		return found{}, err
	}
	f := found{owner: owner.String()}
	list, _, err := descriptor.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && list == nil {
		f.list = []access{{sid: everyone, rights: all}} // without a list nobody is kept out
		return f, nil
	}
	if err != nil {
		return found{}, err
	}
	for i := range uint32(list.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &ace); err != nil {
			return found{}, err
		}
		const allowedIf, deniedIf = 9, 10 // with a condition, which is taken as met
		kind := ace.Header.AceType
		denies := kind == windows.ACCESS_DENIED_ACE_TYPE || kind == deniedIf
		if !denies && kind != windows.ACCESS_ALLOWED_ACE_TYPE && kind != allowedIf {
			continue
		}
		f.list = append(f.list, access{
			sid:    (*windows.SID)(unsafe.Pointer(&ace.SidStart)).String(), //nolint:gosec // it begins there, see ACCESS_ALLOWED_ACE
			rights: general(uint32(ace.Mask)), denies: denies,
			onlyBelow: ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0,
		})
	}
	return f, nil
}

// set gives a file or a folder a list of its own and, where it has to become theirs, to the administrators.
func set(path, list string, own bool) error {
	rights := uint32(windows.READ_CONTROL | windows.WRITE_DAC)
	if own {
		rights |= windows.WRITE_OWNER
	}
	handle, err := open(path, rights)
	if err != nil {
		return err
	}
	defer func() { _ = windows.CloseHandle(handle) }() // a list is not written later
	if err := setHandle(handle, list, own); err != nil {
		return fmt.Errorf("closing %q: %w", path, err)
	}
	return nil
}

// errLinked is a file of several names: who changes it by one changes it by all.
var errLinked = errors.New("it has other names as well")

func setHandle(handle windows.Handle, list string, own bool) error {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(handle, &info); err != nil {
		return err
	}
	if info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY == 0 && info.NumberOfLinks > 1 {
		return errLinked
	}
	descriptor, err := windows.SecurityDescriptorFromString(list)
	if err != nil {
		return err
	}
	entries, _, err := descriptor.DACL()
	if err != nil {
		return err
	}
	what := windows.SECURITY_INFORMATION(windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION)
	var owner *windows.SID
	if own {
		if owner, err = windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid); err != nil {
			return err
		}
		what |= windows.OWNER_SECURITY_INFORMATION
	}
	return windows.SetSecurityInfo(handle, windows.SE_FILE_OBJECT, what, owner, nil, entries, nil)
}

// Give gives a file or a folder, a link itself and not what it leads to, to the account of a SID: it may change it. A folder's
// content comes with it. A file that has other names is refused, lest it be another one's.
func Give(path, sid string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	list := GivenFile(sid)
	if info.IsDir() {
		list = Given(sid)
	}
	return set(path, list, false)
}

// GiveFile is [Give] for an open file, whatever bears its name by now.
func GiveFile(file *os.File, sid string) error {
	handle, err := Reopen(file, windows.READ_CONTROL|windows.WRITE_DAC)
	if err == nil {
		err = errors.Join(setHandle(handle, GivenFile(sid), false), windows.CloseHandle(handle))
	}
	if err != nil {
		return &fs.PathError{Op: "giving", Path: file.Name(), Err: err}
	}
	return nil
}

// Reopen opens what is open with other rights, whatever bears its name by now. The caller closes it.
func Reopen(file *os.File, rights uint32) (windows.Handle, error) {
	return openIn(windows.Handle(file.Fd()), "", rights, windows.FILE_OPEN_REPARSE_POINT|windows.FILE_OPEN_FOR_BACKUP_INTENT)
}

// openIn opens what is called name in an open folder, or the folder itself without one.
func openIn(folder windows.Handle, name string, rights, how uint32) (windows.Handle, error) {
	text, err := windows.NewNTUnicodeString(name)
	if err != nil {
		return 0, err
	}
	var opened windows.Handle
	var status windows.IO_STATUS_BLOCK
	object := windows.OBJECT_ATTRIBUTES{RootDirectory: folder, ObjectName: text, Attributes: windows.OBJ_CASE_INSENSITIVE}
	object.Length = uint32(unsafe.Sizeof(object))
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	err = windows.NtCreateFile(&opened, rights|windows.SYNCHRONIZE, &object, &status, nil, 0, share, windows.FILE_OPEN,
		how|windows.FILE_SYNCHRONOUS_IO_NONALERT, 0, 0)
	var kernels windows.NTStatus
	if errors.As(err, &kernels) {
		err = kernels.Errno()
	}
	return opened, err
}

// errPowerless is a process that is not an administrator's.
var errPowerless = errors.New("only administrators may")

// Insist lets this process, where it is one of an administrator's, remove and open for that what others have locked: the system
// looks at no list then. It may be repeated.
func Insist() error {
	if !Administers() {
		return errPowerless
	}
	var token windows.Token
	const access = windows.TOKEN_ADJUST_PRIVILEGES | windows.TOKEN_QUERY
	if err := windows.OpenProcessToken(windows.CurrentProcess(), access, &token); err != nil {
		return err
	}
	defer func() { _ = token.Close() }() // what was asked for is done
	for _, name := range []string{"SeBackupPrivilege", "SeRestorePrivilege", "SeTakeOwnershipPrivilege"} {
		text, err := windows.UTF16PtrFromString(name)
		if err != nil {
			return err
		}
		state := windows.Tokenprivileges{PrivilegeCount: 1}
		state.Privileges[0].Attributes = windows.SE_PRIVILEGE_ENABLED
		if err := windows.LookupPrivilegeValue(nil, text, &state.Privileges[0].Luid); err != nil {
			return err
		}
		if err := windows.AdjustTokenPrivileges(token, false, &state, 0, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// Seize gives the folder called name in another one to administrators, and lets nobody else into it. What is in it stays as it is.
// It is for who has been kept out, and has called [Insist].
func Seize(above *os.File, name string) error {
	handle, err := openIn(windows.Handle(above.Fd()), name, windows.WRITE_DAC|windows.WRITE_OWNER,
		windows.FILE_DIRECTORY_FILE|windows.FILE_OPEN_REPARSE_POINT|windows.FILE_OPEN_FOR_BACKUP_INTENT)
	if err == nil {
		err = errors.Join(seize(handle), windows.CloseHandle(handle))
	}
	if err != nil {
		return &fs.PathError{Op: "seizing", Path: filepath.Join(above.Name(), name), Err: err}
	}
	return nil
}

func seize(handle windows.Handle) error {
	owner := "O:" + administrators
	descriptor, err := windows.SecurityDescriptorFromString(owner + Private())
	if err != nil {
		return err
	}
	// What is below is not looked at: the one call that does so stops at what keeps it out.
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	return windows.SetKernelObjectSecurity(handle, what, descriptor)
}

// RootOwns tells whether what is at a path, a link itself and not what it leads to, belongs to root; on Windows, to those who
// administer the host or to the account of this process.
func RootOwns(path string, _ fs.FileInfo) bool {
	f, err := lookAt(path)
	return err == nil && trusted(f.owner)
}

// TrustedOwner tells whether those who administer this host, or the account of this process, own what is open, such as a pipe.
func TrustedOwner(handle windows.Handle) (bool, error) {
	descriptor, err := windows.GetSecurityInfo(handle, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return false, err
	}
	owner, _, err := descriptor.Owner()
	if err != nil {
		return false, err
	}
	return trusted(owner.String()), nil
}

// Lists tells whether an account may see what is in a folder and pass it: by itself, by a group that is named with it, or by
// one that each account is in.
func Lists(path string, sids ...string) (bool, error) {
	f, err := lookAt(path)
	if err != nil {
		return false, err
	}
	const pass = 0x20
	return f.allows(append(sids, everyone, authenticated, users), look|pass), nil
}

// Reads tells in the same way whether an account may read a file, and start it.
func Reads(path string, sids ...string) (bool, error) {
	f, err := lookAt(path)
	if err != nil {
		return false, err
	}
	return f.allows(append(sids, everyone, authenticated, users), readExecute), nil
}

// Text is the list of a file or a folder as text (SDDL), with its owner.
func Text(path string) (string, error) {
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION
	descriptor, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, what)
	if err != nil {
		return "", fmt.Errorf("reading who may use %q: %w", path, err)
	}
	return descriptor.String(), nil
}
