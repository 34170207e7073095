# What fish runs to report its line when it is asked, and to drop it when it has changed after the verdict.
# @TOKEN@ is filled in; the whole is sent as one line, without lines that start with a hash.
set -g __sp_t @TOKEN@
set -g __sp_n ''
set -g __sp_c ''
set -g __sp_l ''
function __sp_p --on-event fish_prompt --on-event fish_cancel
printf '\e]7770;%s;p\a' $__sp_t >/dev/tty
end
function __sp_d
set -g __sp_n "$__sp_n$argv[1]"
end
function __sp_r
set -g __sp_c $__sp_n
set -g __sp_n ''
set -g __sp_l (commandline -b | string collect -N)
set -l o (string escape --style=url -- (commandline -b) | string join '%0A')
printf '\e]7770;%s;r;%s;%s;%s\a' $__sp_t $__sp_c (string length -- "$o") "$o" >/dev/tty
end
function __sp_a
set -l c $__sp_n
set -g __sp_n ''
set -l b (commandline -b | string collect -N)
if test -z "$c" -o "$c" != "$__sp_c" -o "$b" != "$__sp_l"
commandline -r ''
printf '\e]7770;%s;x;%s\a' $__sp_t $c >/dev/tty
end
set -g __sp_c ''
end
for m in default insert visual replace replace_one
for d in 0 1 2 3 4 5 6 7 8 9 a b c d e f
bind -M $m \x1e$d "__sp_d $d"
end
bind -M $m \x1eR __sp_r
bind -M $m \x1eA __sp_a
bind -M $m \x1eX expand-abbr
bind -M $m \x1eD cancel-commandline
end
