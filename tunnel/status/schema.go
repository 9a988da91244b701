package status

// The schemas of the JSON documents: what they are, and their version. A field that is
// added leaves the version as it is, so a reader ignores those that it does not know. A
// field that goes, or means something else, raises it. docs/json.md lists all fields.
const (
	StatusSchema  = "fathom.status/1"
	HistorySchema = "fathom.history/1"
	ProbeSchema   = "fathom.probe/1"
	HopsSchema    = "fathom.hops/1"
	DoctorSchema  = "fathom.doctor/1"
	ErrorSchema   = "fathom.error/1"
)

// Failure is the document that a command prints with --json in the place of another when
// it fails.
type Failure struct {
	Schema   string `json:"schema"`         // ErrorSchema
	Error    string `json:"error"`          // what went wrong
	Hint     string `json:"hint,omitempty"` // what can be done about it
	ExitCode int    `json:"exit_code"`      // that the command ends with: `fathom --help`
}
