package wire

// The limits of the format. Parsers refuse what is above them.
const (
	MaxName        = 64            // bytes of a node or channel name
	MaxText        = 1024          // bytes of a text for people, or of a management argument
	MaxBody        = 80 << 20      // bytes of a batch's decompressed body, and so of a segment
	MaxBatch       = MaxBody + 256 // bytes of an encoded batch
	MaxMessages    = 1 << 20       // messages of a batch
	MaxHeaders     = 1024          // headers of a message
	MaxHeaderBytes = 64 << 10      // bytes of a message's header names and values with their lengths
	MaxTime        = 1<<62 - 1     // milliseconds of an engine time or a time to live
	MaxSkips       = 1 << 16       // skip ranges of a data frame
	MaxBatches     = 1 << 16       // batches of a data frame
	MaxChannels    = 4096          // channels of any frame
	MaxPositions   = 1024          // committed positions of one channel in a status
	MaxArgs        = 64            // arguments of a management frame
)
