// Command hostile shows what becomes of charts that mean harm: each is unpacked and rendered as a pull request's would be, has to end in a
// failure with a name within 20 seconds, and may leave nothing behind: no file's content in what is told or rendered, no request to a server, no
// memory in the server's process. Then an honest preview is deployed to a local cluster, alone and beside them, and has to keep its time.
//
// It prints one line a chart; the last line is one JSON object for scripts. The package's test is the short form.
package main
