//go:build !wasip1

package rmds

// Without a router around it, everything answers that this is not the place.
const misplaced = -5

func hostRead(int32, uint32, []byte) int32 { return misplaced }
func hostNum(int32) int64                  { return misplaced }
func hostHeader(string, []byte) int32      { return misplaced }
func hostSet(int32, []byte) int32          { return misplaced }
func hostSetHeader(string, string) int32   { return misplaced }
func hostDeleteHeader(string) int32        { return misplaced }
func hostEmitHeader(string, string) int32  { return misplaced }
func hostOpt(int32, int64) int32           { return misplaced }
func hostEmit(string, []byte) int32        { return misplaced }
func hostKVGet(string, []byte) int32       { return misplaced }
func hostKVSet(string, []byte) int32       { return misplaced }
func hostKVDel(string) int32               { return misplaced }
func hostKVAdd(string, int64) int64        { return -1<<63 - misplaced }
func hostKVNext(string, []byte) int32      { return misplaced }
func hostLog(int32, string)                {}
func hostStat(string, int64)               {}
func hostFail(string)                      {}
