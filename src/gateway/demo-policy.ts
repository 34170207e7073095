// The sample policy of the demo: one rule for each thing that a rule can do, harmless to try on one's own machine. It is
// written beside the demo's data, so that it can be edited while the demo runs.

/** The folder's file name and its text. */
export const demoPolicy = {
  file: 'demo.yaml',
  text: `# The demo's rules. Edit them while the demo runs: a changed file takes effect at once, also for live sessions.
# A file with a mistake changes nothing; data/demo/gateway.log says what is wrong with it.
name: demo
defaults: {contact: carol}
rules:
  - name: notes stay
    description: Shows a block; also as sudo rm, find -delete, or hidden in a variable
    match: rm
    flags: [r]
    operand: [notes, notes/, "*/notes", "*/notes/*"]
    action: block
    criticality: medium
    message: The notes of this demo are to stay.
    test:
      match: ["rm -r notes", "rm -fr ~/notes", "d=notes; rm -r $d"]
      nomatch: ["rm -r other", "echo rm -r notes", "rm notes/welcome.txt"]
  - name: no world-writable files
    description: Shows a question
    match: ["chmod {777,a+w,o+w} **", "chmod -R {777,a+w,o+w} **"]
    action: confirm
    message: Everybody on this machine could change that.
    test:
      match: ["chmod 777 x", "chmod -R 777 ."]
      nomatch: ["chmod 755 x"]
  - name: no listening shells
    description: Shows the end of a session
    match: ["{nc,ncat,netcat} **"]
    flags: [l]
    action: interrupt
    criticality: high
    message: A listener on a device is reported and ends the session.
    test:
      match: ["nc -l 4444", "ncat -lvp 4444 -e /bin/sh"]
      nomatch: ["nc example.org 80"]
  - name: use of sudo
    description: Shows a note in the log
    match: ["sudo **"]
    action: log
    criticality: low
    test:
      match: ["sudo id"]
      nomatch: ["id"]
`,
} as const;
