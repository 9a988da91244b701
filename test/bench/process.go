//go:build linux

package main

import (
	"fathom/test/gateway"
	"fathom/test/netlab"
)

// processes are the daemons of a rival.
type processes []*netlab.Cmd

// start starts another.
func (p *processes) start(c *netlab.Cmd) error {
	if err := c.Start(); err != nil {
		return err
	}
	*p = append(*p, c)
	return nil
}

// stop kills them: they have nothing to say when they end.
func (p *processes) stop() error {
	for _, c := range *p {
		c.Process.Kill()
		c.Wait()
	}
	return nil
}

func (p *processes) pids() (pids []int) {
	for _, c := range *p {
		pids = append(pids, c.Process.Pid)
	}
	return pids
}

// cpuSeconds is the CPU time that processes have used so far.
func cpuSeconds(pids []int) (sum float64, err error) {
	for _, pid := range pids {
		used, err := gateway.CPU(pid)
		if err != nil {
			return 0, err
		}
		sum += used.Seconds()
	}
	return sum, nil
}

// peakMemory is the largest resident set that any of the processes has had so
// far, in MiB.
func peakMemory(pids []int) (peak float64, err error) {
	for _, pid := range pids {
		bytes, err := gateway.PeakMemory(pid)
		if err != nil {
			return 0, err
		}
		peak = max(peak, float64(bytes)/(1<<20))
	}
	return peak, nil
}
