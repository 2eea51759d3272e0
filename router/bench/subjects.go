package bench

// Subjects returns everything that can be measured; the engine comes first.
func Subjects() []Subject {
	return []Subject{Engine(), JetStream(false), JetStream(true)}
}
