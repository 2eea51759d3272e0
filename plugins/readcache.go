package plugins

// readCache remembers durable values, and absences, within a bound. It has two generations: what is used moves to the young one,
// and when that is full it becomes the old one, whose unused entries are then forgotten.
type readCache struct {
	young, old map[string][]byte
	size       int // bytes of young
}

const cacheBytes = 2 * mib // of one generation

// get gives a value, nil for a key known to be absent.
func (c *readCache) get(key string) (value []byte, known bool) {
	if value, known = c.young[key]; known {
		return value, true
	}
	if value, known = c.old[key]; known {
		delete(c.old, key)
		c.put(key, value)
	}
	return value, known
}

func (c *readCache) put(key string, value []byte) {
	c.remove(key)
	n := entrySize(key, value)
	if n > cacheBytes/4 {
		return
	}
	if c.size+n > cacheBytes || c.young == nil {
		c.young, c.old, c.size = make(map[string][]byte), c.young, 0
	}
	c.young[key] = value
	c.size += n
}

func (c *readCache) remove(key string) {
	if value, ok := c.young[key]; ok {
		c.size -= entrySize(key, value)
		delete(c.young, key)
	}
	delete(c.old, key)
}

func entrySize(key string, value []byte) int { return len(key) + len(value) + 128 }
