# What zsh runs to report its line when it is asked, and to drop it when it has changed after the verdict.
# @TOKEN@ and @DIGITS@ are filled in, and lines that start with a hash left out; a comma ends it, so none may be in it.
unset __sp_s
typeset -g __sp_t=@TOKEN@ __sp_c= __sp_l= __sp_o=
__sp_say() { builtin printf "$@" >/dev/tty; }
__sp_p() { __sp_say '\033]7770;%s;p\007' "$__sp_t"; }
__sp_e() {
emulate -L zsh
local s=$1 i h c
s=${s//\%/%25}
s=${s//;/%3b}
if [[ $s == *[[:cntrl:]]* ]]; then
for i in {1..31} 127; do
builtin printf -v h %02x $i
builtin printf -v c "\\x$h"
s=${s//$c/%$h}
done
fi
__sp_o=$s
}
__sp_i() {
emulate -L zsh
[[ $CONTEXT == (start|cont) ]] && __sp_p
(( $+widgets[__sp_line_init] )) && zle __sp_line_init -- "$@"
return 0
}
__sp_r() {
emulate -L zsh
local c w a=
read -sk @DIGITS@ c || return 0
# History is expanded in place: what is reported is what would run.
[[ $BUFFER == *[\!^]* ]] && zle .expand-history
__sp_l=$BUFFER __sp_c=$c
for w in ${=BUFFER}; do
if (( $+aliases[$w] && ${#a} < 8000 )); then __sp_e "$w=$aliases[$w]"; a+=";$__sp_o"; fi
if (( $+galiases[$w] && ${#a} < 8000 )); then __sp_e "$w=$galiases[$w]"; a+=";$__sp_o"; fi
done
__sp_e "$__sp_l"
__sp_say '\033]7770;%s;r;%s;%s;%s%s\007' "$__sp_t" "$c" "${#__sp_o}" "$__sp_o" "$a"
}
__sp_a() {
emulate -L zsh
local c
read -sk @DIGITS@ c
if [[ -z $c || $c != "$__sp_c" || $BUFFER != "$__sp_l" ]]; then
BUFFER=
__sp_say '\033]7770;%s;x;%s\007' "$__sp_t" "$c"
fi
__sp_c=
}
# What was typed to get here is gone, can't be undone back, and has left no rows: the display begins anew.
__sp_z() {
BUFFER=
UNDO_LIMIT_NO=$UNDO_CHANGE_NO
zle -I
zle -R
__sp_p
zle -D __sp_z
unfunction __sp_z
}
(( $+widgets[zle-line-init] )) && zle -A zle-line-init __sp_line_init
zle -N zle-line-init __sp_i
zle -N __sp_r
zle -N __sp_a
zle -N __sp_z
for __sp_m in ${keymaps:#.safe}; do
bindkey -M $__sp_m '^^R' __sp_r
bindkey -M $__sp_m '^^A' __sp_a
bindkey -M $__sp_m '^^Z' __sp_z
done
unset __sp_m
false
