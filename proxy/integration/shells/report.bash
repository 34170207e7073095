# What bash runs to report its line when it is asked, and to drop it when it has changed after the verdict.
# @TOKEN@ and @DIGITS@ are filled in, and lines that start with a hash left out; a comma ends it, so none may be in it.
stty echo
unset __sp_s
__sp_t=@TOKEN@ __sp_c= __sp_l= __sp_o=
# Looked up as the prompt is shown: a child that inherits PS2 has no such variable.
__sp_2=$'\001\033]7770;@TOKEN@;p\007\002'
__sp_say() { builtin printf "$@" >/dev/tty; }
__sp_p() { __sp_say '\033]7770;%s;p\007' "$__sp_t"; }
__sp_e() {
local s="$1" i h c
s=${s//%/%25}
s=${s//;/%3b}
if [[ $s == *[[:cntrl:]]* ]]; then
for i in {1..31} 127; do
builtin printf -v h %02x "$i"
builtin printf -v c "\\x$h"
s=${s//"$c"/%$h}
done
fi
__sp_o=$s
}
__sp_r() {
local c w a= - IFS=$' \t\n'
builtin set -f +eux
IFS= builtin read -rsN @DIGITS@ -t 2 c </dev/tty || builtin return 0
__sp_l=$READLINE_LINE __sp_c=$c
for w in $READLINE_LINE; do
if [[ -n ${BASH_ALIASES[$w]-} && ${#a} -lt 8000 ]]; then __sp_e "$w=${BASH_ALIASES[$w]}"; a+=";$__sp_o"; fi
done
__sp_e "$__sp_l"
__sp_say '\033]7770;%s;r;%s;%s;%s%s\007' "$__sp_t" "$c" "${#__sp_o}" "$__sp_o" "$a"
}
__sp_a() {
local c -
builtin set +eux
IFS= builtin read -rsN @DIGITS@ -t 2 c </dev/tty
if [[ -z $c || $c != "$__sp_c" || $READLINE_LINE != "$__sp_l" ]]; then
READLINE_LINE= READLINE_POINT=0
__sp_say '\033]7770;%s;x;%s\007' "$__sp_t" "$c"
fi
__sp_c=
}
# A search is ended by the first of our keys; only keys that a macro sends then find their binding.
for __sp_m in emacs-standard vi-insert vi-command; do
bind -m $__sp_m -x '"\C-^\C-r": __sp_r 2>/dev/null'
bind -m $__sp_m -x '"\C-^\C-a": __sp_a 2>/dev/null'
bind -m $__sp_m '"\C-^R": "\C-^\C-r"'
bind -m $__sp_m '"\C-^A": "\C-^\C-a"'
bind -m $__sp_m '"\C-^H": history-expand-line'
done
PROMPT_COMMAND+=$'\n{ declare -F __sp_p && __sp_p; } >/dev/null 2>&1'
PS2="$PS2"'${__sp_2-}'
[[ $(HISTTIMEFORMAT= history 1) =~ ^\ *([0-9]+)\*?.*__sp_s ]] && history -d ${BASH_REMATCH[1]}
unset __sp_m
