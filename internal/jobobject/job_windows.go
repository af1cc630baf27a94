package jobobject

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Job is a job object. What a program of it starts is in it as well, and cannot leave it. When the last handle of it is closed, as by
// the end of this process, Windows ends all its processes.
type Job struct {
	mu     sync.Mutex
	handle windows.Handle // 0: closed
}

// created is how a program is started: it does nothing before it is in its job, and has a console of its own that nobody sees, to
// which a Ctrl-C can be sent without meeting us.
const created = windows.CREATE_SUSPENDED | windows.CREATE_NO_WINDOW | windows.CREATE_UNICODE_ENVIRONMENT

// Start starts cmd, whose SysProcAttr it sets, in a new job object. After a failure nothing of it runs. The error is that of
// [exec.Cmd.Start] where the program cannot be started.
func Start(cmd *exec.Cmd) (*Job, error) {
	handle, err := create()
	if err != nil {
		return nil, err
	}
	job := &Job{handle: handle}
	cmd.SysProcAttr = &windows.SysProcAttr{CreationFlags: created}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, job.Close())
	}
	if err := job.take(uint32(cmd.Process.Pid)); err != nil { //nolint:gosec // a process's number fits
		_ = cmd.Process.Kill() // it has done nothing yet
		_ = cmd.Wait()         // how it ended is known
		return nil, errors.Join(err, job.Close())
	}
	return job, nil
}

func create() (windows.Handle, error) {
	handle, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("creating a job object: %w", err)
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(handle, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))) //nolint:gosec // as Windows takes structures
	if err != nil {
		return 0, errors.Join(fmt.Errorf("setting up a job object: %w", err), windows.CloseHandle(handle))
	}
	return handle, nil
}

// take puts a process that was started suspended into the job, and lets it go.
func (j *Job) take(pid uint32) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing is written to it
	if err := windows.AssignProcessToJobObject(j.handle, process); err != nil {
		return fmt.Errorf("putting process %d into a job object: %w", pid, err)
	}
	return resume(pid)
}

// resume lets the only thread of a suspended process go on.
func resume(pid uint32) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("listing threads: %w", err)
	}
	defer windows.CloseHandle(snapshot) //nolint:errcheck // nothing is written to it
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err == nil {
			_, err = windows.ResumeThread(thread)
			err = errors.Join(err, windows.CloseHandle(thread))
		}
		if err != nil {
			return fmt.Errorf("letting process %d go on: %w", pid, err)
		}
		return nil
	}
	return fmt.Errorf("letting process %d go on: finding its thread: %w", pid, err)
}

// accounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type accounting struct {
	userTime, kernelTime, periodUserTime, periodKernelTime int64
	pageFaults, processes, active, terminated              uint32
}

// Active is how many processes of the job run; none after Close.
func (j *Job) Active() (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.handle == 0 {
		return 0, nil
	}
	var now accounting
	err := windows.QueryInformationJobObject(j.handle, windows.JobObjectBasicAccountingInformation,
		uintptr(unsafe.Pointer(&now)), uint32(unsafe.Sizeof(now)), nil) //nolint:gosec // as Windows gives structures
	if err != nil {
		return 0, fmt.Errorf("asking a job object for its processes: %w", err)
	}
	return int(now.active), nil
}

// Kill ends all processes of the job; they are gone soon after. It may be repeated, also after Close.
func (j *Job) Kill() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.handle == 0 {
		return nil
	}
	if err := windows.TerminateJobObject(j.handle, killed); err != nil {
		return fmt.Errorf("ending a job object: %w", err)
	}
	return nil
}

// killed is the exit code of a process that Kill has ended: that of a Ctrl-C that nobody has handled, STATUS_CONTROL_C_EXIT.
const killed = 0xC000013A

// Close lets go of the job, and so ends what is left of it. It may be repeated.
func (j *Job) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.handle == 0 {
		return nil
	}
	handle := j.handle
	j.handle = 0
	if err := windows.CloseHandle(handle); err != nil {
		return fmt.Errorf("closing a job object: %w", err)
	}
	return nil
}
