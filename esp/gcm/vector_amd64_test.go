package gcm

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"fathom/test/tier"
)

// TestKeysAreWiped once nobody can use the cipher any more, and not before.
func TestKeysAreWiped(t *testing.T) {
	if len(makers) == 1 {
		t.Skip("this processor has no VAES")
	}
	v := mustMake(t, makers[0], random(1, KeySize)).(*vector)
	k := v.keys
	for range 3 {
		runtime.GC()
	}
	if k.round[0] != [blockSize]byte(random(1, KeySize)) || k.powers[0] == ([blockSize]byte{}) || k.folded[32] == ([blockSize]byte{}) {
		t.Error("the keys are gone while they may be used")
	}
	runtime.KeepAlive(v)
	for *k != (keys{}) { // the collector takes its time
		runtime.GC()
	}
}

// TestAssemblyIsGenerated: gcm_amd64.s is what the program in asm writes.
func TestAssemblyIsGenerated(t *testing.T) {
	tier.Select(t, tier.Native)
	out := filepath.Join(t.TempDir(), "gcm.s")
	command := exec.Command("go", "run", ".", "-out", out)
	command.Dir = "asm"
	if message, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	body := func(file string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "\n") // the first line names the output
		return rest
	}
	if body(out) != body("gcm_amd64.s") {
		t.Error("gcm_amd64.s is out of date: run `go generate` here")
	}
}

// TestConstantTime reads the assembly. Text, keys and hashes live in vector registers.
// Nothing decides on a vector register or addresses memory by one, and no general
// register gets a value from one, or from memory but arguments and jobs: so branches
// and addresses depend on lengths and pointers alone. There are two exceptions, each
// in one form. SETEQ stores the verdict on a tag; R13 carries pieces of text between
// memory and the stack, and nothing else reads it.
func TestConstantTime(t *testing.T) {
	source, err := os.ReadFile("gcm_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	faults, instructions := secretDependence(string(source))
	if instructions < 3000 {
		t.Errorf("only %d instructions", instructions)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
	// The rules find what they are for.
	for _, bad := range []string{
		"VMOVQ X1, AX", "VPEXTRQ $1, X0, DX", "VPMOVMSKB X0, AX", "KMOVQ K1, AX", "MOVQ (R9), AX", "MOVQ (AX), BX", "MOVQ 8(SP), AX",
		"ADDQ (R9), AX", "CMPQ (R9), $0x01", "CMPB AX, (R8)", "MOVQ R13, AX", "MOVQ (R8)(R13*1), R13", "TESTQ R13, R13", "VPTEST X0, X0\nJZ away",
		"VMOVDQU (R13), X0", "VPGATHERDD Z0, K1, (AX)(Z1*4)", "VPCMPEQB X0, X1, K1", "DIVQ BX", "VUCOMISS X0, X1", "CMOVQEQ R13, AX", "POPCNTQ (R9), AX",
	} {
		if faults, _ := secretDependence("TEXT ·f(SB)\n" + bad); len(faults) == 0 {
			t.Errorf("%q passes for constant in time", bad)
		}
	}
}

var (
	vectorOperand  = regexp.MustCompile(`^[XYZ]\d+$`)
	generalOperand = regexp.MustCompile(`^(AX|BX|CX|DX|SI|DI|R\d+|AL|BL|CL|DL)$`)
	memoryOperand  = regexp.MustCompile(`^[^$]*\((.*)\)$`)
	label          = regexp.MustCompile(`^[A-Za-z0-9_]+:$`)
	// argument and field are memory that holds lengths and pointers: the arguments of the
	// function, and the job at SI.
	argument = regexp.MustCompile(`^([a-z]+\+\d+\(FP\)|\d*\(SI\))$`)
)

// Instructions on general registers, of which the operands say enough.
var plain = map[string]bool{
	"MOVQ": true, "MOVL": true, "ADDQ": true, "SUBQ": true, "ANDQ": true, "INCQ": true, "DECQ": true, "NEGQ": true, "SHRQ": true, "SHLQ": true,
	"LEAQ": true, "CMPQ": true, "TESTQ": true, "XORQ": true, "XORL": true, "BZHIQ": true, "JMP": true, "JZ": true, "JNZ": true, "JB": true, "JA": true, "JE": true,
	"RET": true, "CPUID": true,
}

// secretDependence returns where the assembly breaks the rules of TestConstantTime.
func secretDependence(source string) (faults []string, instructions int) {
	var before string // the instruction before
	for _, line := range strings.Split(source, "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") || label.MatchString(line) ||
			strings.HasPrefix(line, "TEXT") || strings.HasPrefix(line, "DATA") || strings.HasPrefix(line, "GLOBL") {
			continue
		}
		instructions++
		if why := secretDependent(line, before); why != "" {
			faults = append(faults, line+": "+why)
		}
		before = line
	}
	return faults, instructions
}

func secretDependent(line, before string) string {
	name, rest, _ := strings.Cut(line, " ")
	var operands []string
	for _, o := range strings.Split(rest, ",") {
		if o = strings.TrimSpace(o); o != "" {
			operands = append(operands, o)
		}
	}
	vectors, piece := false, false
	for _, o := range operands {
		vectors = vectors || vectorOperand.MatchString(o)
		piece = piece || o == "R13"
		if address := memoryOperand.FindStringSubmatch(o); address != nil && regexp.MustCompile(`R13|[XYZ]\d`).MatchString(address[1]) {
			return "addresses memory by a register that may hold a secret"
		}
	}
	last := ""
	if len(operands) > 0 {
		last = operands[len(operands)-1]
	}
	switch {
	case name == "VPTEST":
		return "" // the next line must be SETEQ: see there
	case strings.HasPrefix(before, "VPTEST") && name != "SETEQ":
		return "uses the flags of VPTEST"
	case name == "SETEQ":
		if !strings.HasPrefix(before, "VPTEST") || !argument.MatchString(last) {
			return "is not the verdict on a tag"
		}
		return ""
	case name == "VZEROUPPER":
		return ""
	case strings.HasPrefix(name, "KMOV"):
		if !generalOperand.MatchString(operands[0]) || last != "K1" {
			return "takes a mask from elsewhere than a length"
		}
		return ""
	case vectors || strings.HasPrefix(name, "V"):
		if generalOperand.MatchString(last) || strings.HasPrefix(last, "K") {
			return "moves from a vector register"
		}
		for _, variable := range []string{"GATHER", "SCATTER", "COMI", "CMP", "COMPRESS", "EXPAND", "CONFLICT", "DIV", "SQRT", "MASKMOV"} {
			if strings.Contains(name, variable) {
				return "may depend on a secret"
			}
		}
		return ""
	case piece:
		// Text on its way between memory and the stack.
		copies := strings.HasPrefix(name, "MOV") && (memoryOperand.MatchString(operands[0]) || memoryOperand.MatchString(last))
		if wiped := line == "XORQ R13, R13"; !copies && !wiped {
			return "reads a piece of text"
		}
		return ""
	case !plain[name]:
		return "is not known"
	case name == "LEAQ":
		return ""
	}
	for _, o := range operands {
		if memoryOperand.MatchString(o) && !argument.MatchString(o) && !(name == "MOVL" && strings.HasSuffix(o, "(FP)")) {
			return "takes a general register from memory that may hold a secret"
		}
	}
	return ""
}
