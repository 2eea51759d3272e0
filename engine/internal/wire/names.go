package wire

// LegalName says whether s can name a node or a channel: 1 to 64 ASCII letters, digits, '-' and '_'. Such a name is always one subject token.
func LegalName(s string) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !legal[s[i]] {
			return false
		}
	}
	return true
}

var legal = func() (t [256]bool) {
	for c := byte('a'); c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for c := byte('0'); c <= '9'; c++ {
		t[c] = true
	}
	t['-'], t['_'] = true, true
	return t
}()
