package logs

import (
	"regexp"
	"strings"
)

// Level is how much a line matters, as far as it says so itself.
type Level string

// The levels.
const (
	LevelNone  Level = ""
	LevelDebug Level = "debug"
	LevelInfo  Level = "info"
	LevelWarn  Level = "warn"
	LevelError Level = "error"
)

var (
	// named finds level=warn, "severity": "ERROR" and the like.
	named = regexp.MustCompile(`(?i)["']?\b(?:level|severity|lvl|loglevel|log\.level)["']?\s*[=:]\s*["']?([a-z]+|[0-9]{2})\b`)
	// bracketed finds [ERROR], <warn> and |INFO| near the beginning, and a bare upper-case word there.
	bracketed = regexp.MustCompile(`^.{0,60}?(?:[\[<|(]\s*(?i:(trace|debug|info|notice|warn|warning|error|err|fatal|crit|critical|panic))\s*[\]>|)]|\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|PANIC)\b)`)
	// klog finds E0521 10:00:00.
	klog = regexp.MustCompile(`^([DIWEF])[0-9]{4} [0-9]{2}:`)
	// pino finds the numbers of Node's loggers.
	numbers = map[string]Level{"10": LevelDebug, "20": LevelDebug, "30": LevelInfo, "40": LevelWarn, "50": LevelError, "60": LevelError}
	words   = map[string]Level{
		"trace": LevelDebug, "debug": LevelDebug, "d": LevelDebug, "info": LevelInfo, "notice": LevelInfo, "information": LevelInfo, "i": LevelInfo,
		"warn": LevelWarn, "warning": LevelWarn, "w": LevelWarn, "error": LevelError, "err": LevelError, "fatal": LevelError, "crit": LevelError,
		"critical": LevelError, "panic": LevelError, "alert": LevelError, "emergency": LevelError, "e": LevelError, "f": LevelError,
	}
)

// looked is how much of a line is looked at for its level.
const looked = 512

// LevelOf returns the level that a line names; none when it names none.
func LevelOf(text string) Level {
	text = text[:min(len(text), looked)]
	if m := klog.FindStringSubmatch(text); m != nil {
		return words[strings.ToLower(m[1])]
	}
	if m := named.FindStringSubmatch(text); m != nil {
		if level, ok := numbers[m[1]]; ok {
			return level
		}
		if level := words[strings.ToLower(m[1])]; level != LevelNone {
			return level
		}
	}
	if m := bracketed.FindStringSubmatch(text); m != nil {
		return words[strings.ToLower(m[1]+m[2])]
	}
	return LevelNone
}
