package tunnel

import (
	"testing"
	"time"
)

func TestAnOutageIsToldOnceAndRemindedOfRarely(t *testing.T) {
	var o outage
	start := time.Unix(1000, 0)
	for _, step := range []struct {
		after time.Duration
		end   bool
		want  bool
	}{
		{0, false, true}, {time.Second, false, false}, {remindOutage - 1, false, false}, {remindOutage, false, true},
		{remindOutage + time.Second, false, false}, {remindOutage + time.Minute, true, true}, {remindOutage + 2*time.Minute, false, false},
	} {
		if step.end {
			o.end()
		}
		if got := o.tell(start.Add(step.after)); got != step.want {
			t.Errorf("after %v: %v", step.after, got)
		}
	}
}
