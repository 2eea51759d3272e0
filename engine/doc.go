// Package engine delivers messages between nodes over plain NATS: every message a send accepted reaches every reader of its
// channel, in order, however often links, servers and processes fail in between. One SQLite file per node holds what is not
// delivered yet, and every node's place in what it was sent.
//
// A node joins channels, sends on them and handles what others send:
//
//	config := engine.DefaultConfig()
//	config.NodeID = "node-1"
//	connection, err := engine.New(config)
//	if err != nil {
//		return err
//	}
//	defer connection.Unsubscribe()
//	channel := connection.Join("my-channel", engine.RW)
//	channel.OnMessage(func(m *engine.Message) { m.Ack() })
//	err = channel.SendMessage("hello")
//
// A send returns when the message is durable here. A message is acknowledged to its sender when its handler's verdict is
// durable at the reader. Between the two it survives any crash of either side. A handler may see a message again after a
// crash, never out of order; what it does through its Result happens exactly once.
package engine
