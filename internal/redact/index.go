package redact

import "sync"

// entry is something to look for: text that is a secret by itself, or text with which a shape begins.
type entry struct {
	text      string
	fold      bool      // case does not count
	recognise recognise // nil: the text is a secret by itself
	before    bool      // the base64 character before holds some bits of the secret
	after     int       // … at most so many after it
}

// index finds, for a place in a text, which entries may begin there: by the three bytes that stand there, without case.
type index struct {
	bits    [1 << 10]uint64 // a set of hashes of three bytes: nearly every place is told from it to be of no interest
	pairs   [1 << 10]uint64 // the first two of them, for the end of a text that goes on later
	firsts  charset         // the first of them
	entries map[uint32][]entry
}

func newIndex(shapes []entry) *index {
	ix := &index{entries: map[uint32][]entry{}}
	for _, e := range shapes {
		ix.add(e)
	}
	return ix
}

var shapesOnly = sync.OnceValue(func() *Redactor { return &Redactor{index: newIndex(shapes)} })

func (ix *index) add(e entry) {
	key := fold3(e.text[0], e.text[1], e.text[2])
	h, p := hash(key), key>>8
	ix.bits[h>>6] |= 1 << (h & 63)
	ix.pairs[p>>6] |= 1 << (p & 63)
	ix.firsts[key>>16] = true
	ix.entries[key] = append(ix.entries[key], e)
}

// fold3 packs three bytes, letters without their case. A few other characters fall together as well, which costs a comparison.
func fold3(a, b, c byte) uint32 {
	return uint32(a|0x20)<<16 | uint32(b|0x20)<<8 | uint32(c|0x20)
}

func hash(key uint32) uint32 { return key * 0x9E3779B1 >> 16 }

func (ix *index) has(key uint32) bool {
	h := hash(key)
	return ix.bits[h>>6]&(1<<(h&63)) != 0
}

// mayBegin reports whether an entry may begin with the one or two bytes.
func (ix *index) mayBegin(text []byte) bool {
	if len(text) == 1 {
		return ix.firsts.has(text[0] | 0x20)
	}
	p := fold3(text[0], text[1], 0) >> 8
	return ix.pairs[p>>6]&(1<<(p&63)) != 0
}

// mayHold reports whether there is a place in the text to look at.
func (ix *index) mayHold(text string) bool {
	if len(text) < 3 {
		return false
	}
	key := fold3(0, text[0], text[1])
	for i := 2; i < len(text); i++ {
		key = key<<8&0xffffff | uint32(text[i]|0x20)
		if ix.has(key) {
			return true
		}
	}
	return false
}
