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
//
// # Connecting
//
// [New] opens the database and connects in the background: it works with NATS down. [DefaultConfig] has every setting filled in; a zero value means the default, but for EnableCompression.
// A router's configuration file holds the same settings: docs/configuration.md gives the key of each field, and a test holds the table to the fields' config tags.
// Options set what is no setting: [SetLogger], [SetNATSOptions] for credentials and TLS, [SetObserver]. [Connection.Unsubscribe] and [Connection.Close] leave the
// network in order; joins and positions stay. When [Connection.Failed] is closed, the database has failed and the process should end.
//
// # Joining
//
// [Connection.Join] and [Connection.JoinChannel] join a channel as [ReadOnly], [WriteOnly] or [RW]. A join is durable: it outlives the process, and messages
// wait for it, until [Channel.Unsubscribe], [Connection.Leave] or a kick ends it. [Own] reads what the node itself sends; [NewReaders] says where others begin.
//
// # Sending
//
//	SendMessage             bytes, a string, or any value as JSON; returns when it is durable
//	Send                    with a context; returns the message's id
//	SendBatch               all or none, in one transaction
//	SendAsync               returns at once, and tells the outcome later
//	Connection.Commit       messages for several channels and state, in one transaction
//
// What waits for a reader is bounded by Config.MaxMessagesPerReceiver; at the bound Config.Overflow decides. The errors that a caller can act on are listed in this
// package: match them with [errors.Is].
//
// # Handling
//
// [Channel.OnMessage] registers a callback that gives its verdict by [Message.Ack], [Message.Nack] or [Message.Reject], at once or soon. Several run in the order of their
// registration; the first verdict counts. [Channel.Handle] sets a transactional handler, whose [Result] holds verdict, messages to send and state to keep: they
// commit with the position. [Channel.AckUnhandled] takes a channel's messages without a handler. Until one of the three is called the messages wait at their senders.
// Messages that were given up on are dead letters: [Connection.DeadLetters], [Connection.Redrive].
//
// A handler is called for one message at a time, on a goroutine of the sender's lane. It may block: other senders' messages to other channels go on. It may use the
// connection, but not close it.
//
// # Watching
//
//	Connection.Tap          the messages of a channel, without a say in them
//	SetObserver             every event, for metrics
//	Connection.Accounts     what became of every message sent, per channel and reader
//	Connection.Inbound      what came of every message received, per channel and sender
//	Connection.Status       this node's own state
//	Mgmt.Statistic          sums of all that
//
// # Managing
//
// [Connection].Mgmt is a [Management]: Topology, Nodes, Channels and GetSubscribers list the whole network, also nodes that share no channel with this one. Kick, KickChannel
// and the three purges are orders: each node that is online obeys and answers, and the error names those that did not. Audit lists the orders that this node gave
// or obeyed.
//
// Package enginetest tests programs that embed this one, without a network.
package engine
