package host

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	net4, net6   = netip.MustParsePrefix("10.88.2.0/24"), netip.MustParsePrefix("fd88::/48")
	addr4, addr6 = netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64")
)

const ourTable = 254

// sample is what a Link with interface 7 wants.
func sample() *wanted {
	return &wanted{
		tableOf: func(netip.Prefix) int { return ourTable },
		index:   7, mtu: 1438, addresses: []netip.Prefix{addr4, addr6},
		routes: map[netip.Prefix]Route{net4: {net4, 1400, 1360}, net6: {net6, 1438, 0}},
		guards: map[item]bool{guardIn(net4, ourTable): true, guardIn(net6, ourTable): true, guardIn(net4, 4600): true},
		rules:  map[item]bool{rule4(32765): true, rule4(32764): true},
	}
}

// rule4 is a rule for IPv4.
func rule4(priority int) item {
	return item{kind: KindRule, prefix: netip.MustParsePrefix("0.0.0.0/0"), number: priority}
}

// found is a host that has it all.
func found() *actual {
	w := sample()
	return &actual{
		exists: true, up: true, mtu: w.mtu, addresses: map[netip.Prefix]bool{addr4: true, addr6: true, netip.MustParsePrefix("fe80::1/64"): true},
		routes: maps.Clone(w.routes), guards: maps.Clone(w.guards), rules: maps.Clone(w.rules),
	}
}

func TestAmiss(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*actual)
		want   string
	}{
		"nothing":       {func(*actual) {}, ""},
		"down":          {func(s *actual) { s.up = false }, "device set down"},
		"the MTU":       {func(s *actual) { s.mtu = 1500 }, "MTU of the device"},
		"an address":    {func(s *actual) { delete(s.addresses, addr4) }, "address 10.77.0.1/24"},
		"a route":       {func(s *actual) { delete(s.routes, net6) }, "route fd88::/48"},
		"its MTU":       {func(s *actual) { s.routes[net4] = Route{net4, 0, 1360} }, "route 10.88.2.0/24"},
		"its MSS":       {func(s *actual) { s.routes[net6] = Route{net6, 1438, 1000} }, "route fd88::/48"},
		"a guard":       {func(s *actual) { delete(s.guards, guardIn(net4, ourTable)) }, "guard route to 10.88.2.0/24"},
		"another guard": {func(s *actual) { delete(s.guards, guardIn(net4, 4600)) }, "guard route to 10.88.2.0/24 in table 4600"},
		"a rule":        {func(s *actual) { delete(s.rules, rule4(32764)) }, "rule 32764 for 0.0.0.0/0"},
		"extra things":  {func(s *actual) { s.routes[addr4.Masked()], s.addresses[net4] = Route{}, true }, ""},
		// Guards first; the others after what they need.
		"all but the device": {
			func(s *actual) { *s = actual{exists: true} },
			"guard route to 10.88.2.0/24, guard route to 10.88.2.0/24 in table 4600, guard route to fd88::/48, rule 32764 for 0.0.0.0/0, rule 32765 for 0.0.0.0/0, MTU of the device, device set down, address 10.77.0.1/24, address fd77::1/64, route 10.88.2.0/24, route fd88::/48",
		},
		"the device": {func(s *actual) { s.exists = false }, "device"},
		"everything": {func(s *actual) { *s = actual{} }, "guard route to 10.88.2.0/24, guard route to 10.88.2.0/24 in table 4600, guard route to fd88::/48, rule 32764 for 0.0.0.0/0, rule 32765 for 0.0.0.0/0, device"},
	} {
		t.Run(name, func(t *testing.T) {
			s := found()
			test.change(s)
			var got []string
			for _, i := range sample().amiss(s) {
				got = append(got, i.String())
			}
			if strings.Join(got, ", ") != test.want {
				t.Errorf("%s, want %s", strings.Join(got, ", "), test.want)
			}
		})
	}
}

// TestJudge says whom each event concerns.
func TestJudge(t *testing.T) {
	elsewhere := netip.MustParsePrefix("203.0.113.0/24")
	route := func(change func(*event)) event {
		e := event{of: ofRoute, index: 7, prefix: net4, table: ourTable, metric: true, metrics: Route{net4, 1400, 1360}}
		change(&e)
		return e
	}
	guard := func(change func(*event)) event {
		e := event{of: ofRoute, index: 1, prefix: net4, table: ourTable, guard: true, metrics: Route{Prefix: net4}}
		change(&e)
		return e
	}
	for name, test := range map[string]struct {
		event event
		want  verdict
	}{
		"our device as wanted":                {event{of: ofInterface, index: 7, up: true, mtu: 1438}, echo},
		"our device down":                     {event{of: ofInterface, index: 7, mtu: 1438}, tamper},
		"our device with another MTU":         {event{of: ofInterface, index: 7, up: true, mtu: 1500}, tamper},
		"our device deleted":                  {event{of: ofInterface, gone: true, index: 7, up: true, mtu: 1438}, tamper},
		"another device":                      {event{of: ofInterface, index: 2, up: true, mtu: 1438}, foreign},
		"our address":                         {event{of: ofAddress, index: 7, prefix: addr6}, echo},
		"our address deleted":                 {event{of: ofAddress, gone: true, index: 7, prefix: addr6}, tamper},
		"another address of our device":       {event{of: ofAddress, index: 7, prefix: netip.MustParsePrefix("10.77.0.9/24")}, foreign},
		"the kernel's address of our device":  {event{of: ofAddress, index: 7, prefix: netip.MustParsePrefix("fe80::1/64")}, echo},
		"an address of another device":        {event{of: ofAddress, gone: true, index: 2, prefix: addr4}, foreign},
		"our route as wanted":                 {route(func(*event) {}), echo},
		"our route with another MTU":          {route(func(e *event) { e.metrics.MTU = 1300 }), tamper},
		"our route deleted":                   {route(func(e *event) { e.gone = true }), tamper},
		"a route like ours in another table":  {route(func(e *event) { e.table = 100 }), foreign},
		"a route of another metric":           {route(func(e *event) { e.metric = false }), both},
		"the kernel's route with our address": {route(func(e *event) { e.kernel, e.metric = true, false }), echo},
		"a route in place of ours":            {route(func(e *event) { e.index = 2 }), both},
		"that one deleted":                    {route(func(e *event) { e.index, e.gone = 2, true }), both},
		"a route of several interfaces":       {route(func(e *event) { e.index = 0 }), both},
		"a route to another prefix":           {route(func(e *event) { e.prefix = elsewhere }), foreign},
		"our guard":                           {guard(func(*event) {}), echo},
		"our guard deleted":                   {guard(func(e *event) { e.gone = true }), tamper},
		"the other guard deleted":             {guard(func(e *event) { e.table, e.gone = 4600, true }), tamper},
		"a guard in a table that is not ours": {guard(func(e *event) { e.table, e.gone = 4601, true }), foreign},
		"another guard":                       {guard(func(e *event) { e.prefix = elsewhere }), foreign},
		"our rule":                            {event{of: ofRule, own: true, rule: rule4(32764)}, echo},
		"our rule deleted":                    {event{of: ofRule, own: true, gone: true, rule: rule4(32764)}, both},
		"a rule of the priority of ours":      {event{of: ofRule, rule: rule4(32764)}, foreign},
		"a rule of another tunnel":            {event{of: ofRule, own: true, rule: rule4(32700)}, foreign},
		"what cannot be read":                 {event{of: ofOther}, foreign},
	} {
		if got := sample().judge(&test.event); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	w := sample()
	w.displaced = true
	for _, e := range []event{{of: ofInterface, index: 2}, {of: ofAddress, gone: true, index: 2, prefix: addr4}, {of: ofAnything}} {
		if got := w.judge(&e); got != both {
			t.Errorf("with a route in place of ours, %+v: %+v", e, got)
		}
	}
	w = sample()
	w.index = 0 // the device is gone
	if got := w.judge(&event{of: ofRoute, prefix: elsewhere, table: ourTable}); got != foreign {
		t.Errorf("%+v", got)
	}
}

// TestDoubt: an event puts in doubt what it may have changed, and nothing else.
func TestDoubt(t *testing.T) {
	one := map[netip.Prefix]bool{net4: true}
	for name, test := range map[string]struct {
		event event
		want  doubt
	}{
		"our device down":         {event{of: ofInterface, index: 7, mtu: 1438}, doubt{device: true}},
		"another device":          {event{of: ofInterface, index: 2}, doubt{}},
		"our address deleted":     {event{of: ofAddress, gone: true, index: 7, prefix: addr4}, doubt{device: true}},
		"our route deleted":       {event{of: ofRoute, gone: true, index: 7, prefix: net4, table: ourTable, metric: true}, doubt{routes: one}},
		"one in its place":        {event{of: ofRoute, index: 2, prefix: net4, table: ourTable, metric: true}, doubt{routes: one}},
		"our route as wanted":     {event{of: ofRoute, index: 7, prefix: net4, table: ourTable, metric: true, metrics: Route{net4, 1400, 1360}}, doubt{}},
		"our guard deleted":       {event{of: ofRoute, gone: true, prefix: net4, table: ourTable, guard: true}, doubt{guards: map[item]bool{guardIn(net4, ourTable): true}}},
		"the other guard deleted": {event{of: ofRoute, gone: true, prefix: net4, table: 4600, guard: true}, doubt{guards: map[item]bool{guardIn(net4, 4600): true}}},
		"our guard":               {event{of: ofRoute, prefix: net4, table: ourTable, guard: true}, doubt{}},
		"what was lost":           {event{of: ofAnything}, doubt{all: true}},
	} {
		w := sample()
		w.judge(&test.event)
		var got doubt
		got.add(w.takeDoubt())
		if !reflect.DeepEqual(got, test.want) || !reflect.DeepEqual(w.takeDoubt(), doubt{}) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// TestPlan: a fault is put right at once, again after a rest, and told until
// it is contested. What fails is told once.
func TestPlan(t *testing.T) {
	u, now := newUpkeep(), time.Unix(1000, 0)
	i := item{kind: KindRoute, prefix: net4}
	var told []string
	turn := func(after time.Duration, err error) (due int) {
		now = now.Add(after)
		list, next := u.plan([]item{i}, now)
		if len(list) == 0 {
			if !next.After(now) {
				t.Errorf("not due, and next %v", next)
			}
			return 0
		}
		if r, tell := u.outcome(i, err, now); tell {
			told = append(told, fmt.Sprintf("%v, contested %v", r.Err, r.Contested))
		}
		return 1
	}
	done := 0
	for range 20 {
		done += turn(time.Second, nil)
	}
	if want := "<nil>, contested false; <nil>, contested false; <nil>, contested false; <nil>, contested true"; strings.Join(told, "; ") != want {
		t.Errorf("told %s", strings.Join(told, "; "))
	}
	if c := u.Condition(now); done < 4 || done > 8 || c.Repaired[KindRoute] != uint64(done) || len(c.Contested) != 1 {
		t.Errorf("%d repairs in 20 s, %+v", done, c)
	}
	u.plan(nil, now)
	if c := u.Condition(now.Add(2 * (maxRest + calm))); len(c.Contested) != 0 {
		t.Errorf("%+v", c)
	}
	told, now = nil, now.Add(time.Hour)
	for range 5 {
		turn(time.Minute, fmt.Errorf("no"))
	}
	turn(time.Minute, nil)
	if want := "no, contested false; <nil>, contested false"; strings.Join(told, "; ") != want {
		t.Errorf("told %s", strings.Join(told, "; "))
	}
}
