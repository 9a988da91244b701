package tunnel

// census counts how often each of some sizes occurs, and so knows the largest
// without looking at all who have one. The zero value is empty.
type census struct {
	count   map[int]int
	largest int // 0: there is none
}

// move takes note that one who had a size, 0 for none yet, has another now, 0 for none
// any more.
func (c *census) move(from, to int) {
	if c.count == nil {
		c.count = make(map[int]int)
	}
	if from > 0 {
		if c.count[from]--; c.count[from] == 0 {
			delete(c.count, from)
		}
	}
	if to > 0 {
		c.count[to]++
	}
	if to >= c.largest {
		c.largest = to
	} else if from == c.largest && c.count[from] == 0 {
		c.largest = 0
		for size := range c.count { // few: the paths of a hub's peers are alike
			c.largest = max(c.largest, size)
		}
	}
}
