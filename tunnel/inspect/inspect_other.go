//go:build !linux

package inspect

import (
	"context"
	"errors"

	"fathom/conf"
	"fathom/tunnel/doctor"
	"fathom/tunnel/status"
)

// Host needs Linux.
func Host(context.Context, *conf.Config, *status.Status) (doctor.Host, []status.Unexamined) {
	return doctor.Host{}, []status.Unexamined{{What: "the host", Why: errors.ErrUnsupported.Error()}}
}
