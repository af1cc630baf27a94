package workspace

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// device returns the file system that something is on. A folder that leads to
// another one is no folder to package os here.
func device(fs.FileInfo) uint64 { return 0 }

// onDisk returns the bytes that something takes.
func onDisk(info fs.FileInfo) int64 {
	if info.IsDir() {
		return 0
	}
	return info.Size()
}

// links returns how many names a file has, which is not told here.
func links(fs.FileInfo) int64 { return 1 }

// busy would tell whether something cannot be renamed for what is mounted on it. Nothing is.
func busy(error) bool { return false }

// number tells a folder from all others of its volume; 0 where the volume does not number them.
func number(folder *os.Root, _ fs.FileInfo) uint64 {
	file, err := folder.Open(".")
	if err != nil {
		return 0
	}
	defer file.Close()
	var info windows.ByHandleFileInformation
	if windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &info) != nil {
		return 0
	}
	return uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)
}

// ownedBy would tell whether something belongs to an account, which is no number here.
func ownedBy(fs.FileInfo, int) bool { return true }
