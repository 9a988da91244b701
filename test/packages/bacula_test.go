//go:build linux

package packages

import "strings"

// baculaPassword is one that nothing outside of the laboratory knows.
const baculaPassword = "only-inside-the-laboratory"

// baculaFiles are the configurations of Bacula's daemons and its console: the file daemon
// on the client, all others on the storage. runScript is that of the job.
func baculaFiles(runScript string) map[string]string {
	files := map[string]string{
		"bacula-dir.conf": `
Director { Name = lab-dir; DIRport = 9101; QueryFile = "/srv/bacula/query.sql"; WorkingDirectory = "/srv/bacula"; PidDirectory = "/srv/bacula"
  Maximum Concurrent Jobs = 2; Password = "PASSWORD"; Messages = Standard }
Job { Name = backup; Type = Backup; Level = Full; Client = a-fd; FileSet = all; Storage = b-sd; Pool = pool; Messages = Standard
RUNSCRIPT}
FileSet { Name = all; Include { Options { signature = MD5; readfifo = yes }
  File = "/srv/files/stream" } }
Client { Name = a-fd; Address = 10.77.0.1; FDPort = 9102; Catalog = cat; Password = "PASSWORD" }
Storage { Name = b-sd; Address = 10.77.0.2; SDPort = 9103; Password = "PASSWORD"; Device = disk; Media Type = File }
Catalog { Name = cat; dbname = "bacula"; dbuser = ""; dbpassword = "" }
Messages { Name = Standard; director = lab-dir = all; console = all; catalog = all }
Pool { Name = pool; Pool Type = Backup; Label Format = "vol-" }
`,
		"bacula-sd.conf": `
Storage { Name = b-sd; SDPort = 9103; WorkingDirectory = "/srv/bacula"; PidDirectory = "/srv/bacula" }
Director { Name = lab-dir; Password = "PASSWORD" }
Device { Name = disk; Media Type = File; Archive Device = "/srv/volumes"; LabelMedia = yes; Random Access = yes; AutomaticMount = yes; RemovableMedia = no; AlwaysOpen = no }
Messages { Name = Standard; director = lab-dir = all }
`,
		"bacula-fd.conf": `
Director { Name = lab-dir; Password = "PASSWORD" }
FileDaemon { Name = a-fd; FDport = 9102; WorkingDirectory = "/var/lib/bacula"; Pid Directory = "/run" }
Messages { Name = Standard; director = lab-dir = all }
`,
		"bconsole.conf": `
Director { Name = lab-dir; DIRport = 9101; address = 127.0.0.1; Password = "PASSWORD" }
`,
	}
	for name, text := range files {
		files[name] = strings.NewReplacer("PASSWORD", baculaPassword, "RUNSCRIPT", runScript).Replace(text)
	}
	return files
}
