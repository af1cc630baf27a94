package volume

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
)

// tiny is a program that ends with success, the smallest that there is: it needs no library, no loader and no shell, which
// may be missing. Nil for a processor that no runner is made for.
func tiny() []byte {
	switch runtime.GOARCH {
	case "amd64": // xor edi, edi; mov eax, 60; syscall
		return tiny64(elf.EM_X86_64, []byte{0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05})
	case "arm64": // mov x0, 0; mov x8, 93; svc 0
		return tiny64(elf.EM_AARCH64, []byte{0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4})
	case "arm": // mov r0, 0; mov r7, 1; svc 0
		return tiny32(elf.EM_ARM, []byte{0, 0, 0xa0, 0xe3, 0x01, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef})
	}
	return nil
}

const (
	tinyAt  = 0x400000
	page    = 0x10000 // as large as any processor has them
	version = 1
)

func ident(class elf.Class) (is [elf.EI_NIDENT]byte) {
	copy(is[:], elf.ELFMAG)
	is[elf.EI_CLASS], is[elf.EI_DATA], is[elf.EI_VERSION] = byte(class), byte(elf.ELFDATA2LSB), version
	return is
}

func tiny64(machine elf.Machine, code []byte) []byte {
	const header, program = 64, 56
	size := uint64(header + program + len(code)) //nolint:gosec // small
	return little(elf.Header64{
		Ident: ident(elf.ELFCLASS64), Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: version,
		Entry: tinyAt + header + program, Phoff: header, Ehsize: header, Phentsize: program, Phnum: 1,
	}, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: tinyAt, Paddr: tinyAt, Filesz: size, Memsz: size, Align: page,
	}, code)
}

func tiny32(machine elf.Machine, code []byte) []byte {
	const header, program, abi5 = 52, 32, 0x05000000
	size := uint32(header + program + len(code)) //nolint:gosec // small
	return little(elf.Header32{
		Ident: ident(elf.ELFCLASS32), Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: version,
		Entry: tinyAt + header + program, Phoff: header, Flags: abi5, Ehsize: header, Phentsize: program, Phnum: 1,
	}, elf.Prog32{
		Type: uint32(elf.PT_LOAD), Vaddr: tinyAt, Paddr: tinyAt, Filesz: size, Memsz: size, Flags: uint32(elf.PF_R | elf.PF_X), Align: page,
	}, code)
}

func little(parts ...any) []byte {
	var out bytes.Buffer
	for _, part := range parts {
		_ = binary.Write(&out, binary.LittleEndian, part) // a buffer takes all
	}
	return out.Bytes()
}
