// Package redact takes secrets out of text before it leaves Catalyst: values that are known to be secret, in the encodings in which
// programs print them, and strings that have the shape of a credential whoever they belong to.
//
// It is a net, not a boundary. Whoever can run code beside a secret can print it in a form that nothing here knows (reversed,
// encrypted, a letter a line); what keeps a secret from them is not giving it to them. It has no effects and imports the standard library only.
package redact
