package tunnel

import "testing"
func TestX(t *testing.T) {}
