package paths

import (
	"testing"
	"time"
)

func ms(n int) time.Time { return epoch.Add(time.Duration(n) * time.Millisecond) }

func TestWhenAPairIsChallenged(t *testing.T) {
	const timeout = 50 * time.Millisecond
	warm := pace{timeout: timeout, period: warmEvery}
	failed := pace{timeout: timeout, period: warmEvery, failed: true}
	never := pace{timeout: timeout}
	asks := func(at ...int) func(*challenges) {
		return func(c *challenges) {
			for i, n := range at {
				c.ask(uint64(i)+1, ms(n))
			}
		}
	}
	for _, tc := range []struct {
		name string
		do   func(c *challenges)
		pace pace
		at   time.Time
	}{
		{"never asked, nobody wants to know", func(*challenges) {}, never, time.Time{}},
		{"never asked, kept warm: at once", func(*challenges) {}, warm, time.Time{}.Add(warmEvery)},
		{"answered, kept warm", func(c *challenges) { asks(0)(c); c.answer(1, ms(20)) }, warm, ms(15_000)},
		{"unanswered, kept warm", asks(0), warm, ms(1000)},
		{"failed", asks(0, 1000, 2000), failed, ms(3000)},
		{"failed, tried twice again", asks(0, 1000, 2000, 3000, 5000), failed, ms(9000)},
		{"failed for long", asks(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1000), failed, ms(31_000)},
		{"wanted", func(c *challenges) { c.want(ms(7)) }, never, ms(7)},
		{"wanted, asked", func(c *challenges) { c.want(ms(7)); c.ask(1, ms(7)) }, never, ms(57)},
		{"wanted, asked twice", func(c *challenges) { c.want(ms(7)); asks(7, 57)(c) }, never, ms(157)},
		{"wanted anew although one is under way", func(c *challenges) { asks(0)(c); c.want(ms(7)) }, never, ms(7)},
		{"hurried while one is under way", func(c *challenges) { asks(0)(c); c.hurry(timeout, ms(7)) }, never, ms(50)},
		{"hurried after one was lost", func(c *challenges) { asks(0)(c); c.hurry(timeout, ms(70)) }, never, ms(70)},
		{"not wanted any more", func(c *challenges) { c.want(ms(7)); asks(7)(c); c.rest() }, never, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c challenges
			tc.do(&c)
			if got := c.dueAt(tc.pace); !got.Equal(tc.at) {
				t.Errorf("due at %v, want %v", got.Sub(epoch), tc.at.Sub(epoch))
			}
		})
	}
}

func TestWhenAPairIsGivenUp(t *testing.T) {
	var c challenges
	for i := range enoughUnanswered {
		if at := c.givenUpAt(time.Second); !at.IsZero() {
			t.Fatalf("given up after %d challenges", i)
		}
		c.ask(uint64(i)+1, ms(i))
	}
	if at := c.givenUpAt(time.Second); !at.Equal(ms(1002)) {
		t.Errorf("given up at %v", at)
	}
	c.want(ms(10))
	if at := c.givenUpAt(time.Second); !at.IsZero() {
		t.Error("an answer that is wanted has no chance of its own")
	}
	c.answer(2, ms(20))
	if c.rest(); !c.givenUpAt(time.Second).IsZero() {
		t.Error("given up although it has answered")
	}
}

func TestEachTokenCountsOnce(t *testing.T) {
	var c challenges
	c.ask(5, ms(0))
	c.ask(6, ms(10))
	if _, ok := c.answer(0, ms(20)); ok {
		t.Error("no token at all counts")
	}
	if left, ok := c.answer(5, ms(20)); !ok || !left.Equal(ms(0)) {
		t.Errorf("the older one left at %v, %v", left, ok)
	}
	if _, ok := c.answer(5, ms(21)); ok {
		t.Error("a token counts twice")
	}
	if _, ok := c.answer(6, ms(10).Add(answerableFor+1)); ok {
		t.Error("a token counts for ever")
	}
	for i := range rememberedChallenges + 1 {
		c.ask(uint64(10+i), ms(30))
	}
	if _, ok := c.answer(10, ms(31)); ok {
		t.Errorf("more than %d are remembered", rememberedChallenges)
	}
	if _, ok := c.answer(11, ms(31)); !ok {
		t.Errorf("fewer than %d are remembered", rememberedChallenges)
	}
}
