package wire

import (
	"fmt"
	"strings"
)

// Subjects builds and reads the subjects of one network. Prefix is empty or ends with a dot; the other three are single tokens.
// Channel, receiver and sender are tokens of their own, so that NATS permissions alone can say who may do what.
type Subjects struct {
	Prefix, Management, Discovery, Keepalive string
}

// SubjectKind says what travels on a subject.
type SubjectKind uint8

// The kinds of subjects.
const (
	SubjectData SubjectKind = iota + 1
	SubjectOpen
	SubjectStatus
	SubjectKeepalive
	SubjectDiscovery
	SubjectManagement
)

// The fixed tokens. cast is kept free for frames that many readers share.
const (
	tokenData   = "data"
	tokenOpen   = "open"
	tokenStatus = "status"
	tokenCast   = "cast"
)

// Address is what a subject says about its message. To is empty for keepalives and discovery, Channel for all but data and keepalives.
type Address struct {
	Kind              SubjectKind
	Channel, To, From string
}

// Check says whether the prefix and tokens can be used together: legal, and none taken for another.
func (s *Subjects) Check() error {
	if s.Prefix != "" {
		rest, ok := strings.CutSuffix(s.Prefix, ".")
		if !ok {
			return fmt.Errorf("%w: prefix %q does not end with a dot", ErrSubjects, s.Prefix)
		}
		for token := range strings.SplitSeq(rest, ".") {
			if !LegalName(token) {
				return fmt.Errorf("%w: prefix %q", ErrSubjects, s.Prefix)
			}
		}
	}
	taken := map[string]bool{tokenData: true, tokenOpen: true, tokenStatus: true, tokenCast: true}
	for _, token := range []string{s.Management, s.Discovery, s.Keepalive} {
		if !LegalName(token) {
			return fmt.Errorf("%w: token %q is not a legal name", ErrSubjects, token)
		}
		if taken[token] {
			return fmt.Errorf("%w: token %q is used twice", ErrSubjects, token)
		}
		taken[token] = true
	}
	return nil
}

// Data is where sender puts data frames of a channel for receiver.
func (s *Subjects) Data(channel, receiver, sender string) string {
	return s.Prefix + tokenData + "." + channel + "." + receiver + "." + sender
}

// Open is where sender asks receiver to open a session.
func (s *Subjects) Open(receiver, sender string) string {
	return s.Prefix + tokenOpen + "." + receiver + "." + sender
}

// Status is where receiver reports to sender.
func (s *Subjects) Status(sender, receiver string) string {
	return s.Prefix + tokenStatus + "." + sender + "." + receiver
}

// KeepaliveFrom is where node tells the members of a channel that it lives.
func (s *Subjects) KeepaliveFrom(channel, node string) string {
	return s.Prefix + s.Keepalive + "." + channel + "." + node
}

// DiscoveryFrom is where node announces itself to the whole network.
func (s *Subjects) DiscoveryFrom(node string) string {
	return s.Prefix + s.Discovery + "." + node
}

// ManagementFrom is where from puts a management frame for target.
func (s *Subjects) ManagementFrom(target, from string) string {
	return s.Prefix + s.Management + "." + target + "." + from
}

// DataOn matches every data frame of a channel for node.
func (s *Subjects) DataOn(channel, node string) string { return s.Data(channel, node, "*") }

// OpenTo matches every open for node.
func (s *Subjects) OpenTo(node string) string { return s.Open(node, "*") }

// StatusTo matches every status for node.
func (s *Subjects) StatusTo(node string) string { return s.Status(node, "*") }

// KeepaliveOn matches the keepalives of a channel.
func (s *Subjects) KeepaliveOn(channel string) string { return s.KeepaliveFrom(channel, "*") }

// DiscoveryAll matches every announcement to the whole network.
func (s *Subjects) DiscoveryAll() string { return s.DiscoveryFrom("*") }

// ManagementTo matches every management frame for node.
func (s *Subjects) ManagementTo(node string) string { return s.ManagementFrom(node, "*") }

// PeerTo names the node that a lane's frame is for, from the subject it is published on; false: the subject is of no lane.
func (s *Subjects) PeerTo(subject string) (node string, ok bool) {
	if !s.ofLane(subject) {
		return "", false
	}
	i := strings.LastIndexByte(subject, '.')
	return subject[strings.LastIndexByte(subject[:i], '.')+1 : i], true
}

// PeerFrom names the node that a lane's frames come from, from the pattern that is subscribed to; false: the pattern is of no lane, or
// matches more than one node's.
func (s *Subjects) PeerFrom(pattern string) (node string, ok bool) {
	node = pattern[strings.LastIndexByte(pattern, '.')+1:]
	return node, s.ofLane(pattern) && LegalName(node)
}

// ofLane tells whether a subject carries data, opens or statuses.
func (s *Subjects) ofLane(subject string) bool {
	rest, ok := strings.CutPrefix(subject, s.Prefix)
	head, rest, more := strings.Cut(rest, ".")
	return ok && more && strings.Contains(rest, ".") && (head == tokenData || head == tokenOpen || head == tokenStatus)
}

// Parse reads a subject that a message came in on. The names it returns are legal and share memory with subject. False: not one of these subjects.
func (s *Subjects) Parse(subject string) (Address, bool) {
	rest, ok := strings.CutPrefix(subject, s.Prefix)
	if !ok {
		return Address{}, false
	}
	head, rest, ok := strings.Cut(rest, ".")
	if !ok {
		return Address{}, false
	}
	var a Address
	switch head {
	case tokenData:
		a.Kind = SubjectData
		if a.Channel, rest, ok = cutName(rest); ok {
			a.To, a.From, ok = cutName(rest)
		}
	case tokenOpen:
		a.Kind = SubjectOpen
		a.To, a.From, ok = cutName(rest)
	case tokenStatus:
		a.Kind = SubjectStatus
		a.To, a.From, ok = cutName(rest)
	case s.Keepalive:
		a.Kind = SubjectKeepalive
		a.Channel, a.From, ok = cutName(rest)
	case s.Discovery:
		a.Kind = SubjectDiscovery
		a.From = rest
	case s.Management:
		a.Kind = SubjectManagement
		a.To, a.From, ok = cutName(rest)
	default:
		ok = false
	}
	if !ok || !LegalName(a.From) {
		return Address{}, false
	}
	return a, true
}

// cutName splits off the first token, which must be a legal name with more behind it.
func cutName(s string) (name, rest string, ok bool) {
	name, rest, ok = strings.Cut(s, ".")
	return name, rest, ok && LegalName(name)
}
