# Completions of lbk for fish. Made by `python -m lollmsbot_keys.cli.completions`, not by hand.
#
#     lbk completion fish | source

# What "lbk $argv" knows, an entry a line, its parts set apart by tabs: command NAME ABOUT; option TAKEN ABOUT
# SPELLING…; argument TAKEN. What is taken: - nothing, =a|b one of these, or what __lbk_value knows; * after it: there
# may be several.
function __lbk_know
    switch "$argv"
@tables@
        case '*'
            return 1
    end
end

# Says what may stand at the cursor, a line each: the word, a tab, and what it is. With `files`, says nothing and
# succeeds where it is a file, for which fish itself knows best.
function __lbk_complete -a only
    set -l words (commandline -opc) # of LBK_CONFIG=… before them fish has taken care
    set -l word (commandline -ct)
    set word (string replace -ra '[\'"\\\\]' '' -- "$word")
    set -l value $word
    set -l known (__lbk_know)
    set -l path
    set -l given
    set -l pending
    set -l ended no
    set -l count 1
    set -l what
    set -l prefix
    set -l place 1
    for passed in $words[2..-1]
        set place (math $place + 1)
        __lbk_pass; or break
        if test "$pending" = command-line
            __lbk_inside $words[$place..]
            return
        end
    end
    __lbk_at_cursor; or return
    if test "$only" = files
        test "$what" = file; or string match -qr '^target (dotenv|file):' -- "$what $value"
        return
    end
    __lbk_value | string replace -r '^' -- "$prefix"
end

# Takes note of a word before the cursor; fails where nothing is known of what comes after it. With `command-line` in
# `pending`, another command line begins here.
function __lbk_pass -S
    if test -n "$pending"
        set pending
    else if test $ended = no; and test "$passed" = --
        set ended yes
    else if test $ended = no; and string match -qr -- '^-.' $passed
        __lbk_given $passed
    else if string match -q 'command'\t'*' -- $known
        set -a path $passed
        set known (__lbk_know $path)
        or return 1
    else if contains -- argument\t'command-line*' $known
        set pending command-line
    else
        set count (math $count + 1)
    end
    return 0
end

# Takes note of an option as it was typed: --name, --name=value, -x, -xvalue or -xyz.
function __lbk_given -S -a typed
    if string match -q -- '--*' $typed
        __lbk_option (string replace -r '=.*' '' -- $typed); or return 0
        test $what != -; and not string match -q -- '*=*' $typed; and set pending $what
        return 0
    end
    set -l letters (string split '' -- (string sub -s 2 -- $typed))
    for letter in (seq (count $letters))
        __lbk_option -$letters[$letter]; or return 0
        if test $what != -
            test $letter -eq (count $letters); and set pending $what
            return 0
        end
    end
    return 0
end

# Sets `what` to what an option takes, and remembers all its spellings as given, unless it may be given again.
function __lbk_option -S -a spelling
    for entry in $known
        set -l parts (string split \t -- $entry)
        test $parts[1] = option; and contains -- $spelling $parts[4..]; or continue
        set what (string replace -r '\*$' '' -- $parts[2])
        string match -q '*\*' -- $parts[2]; or set -a given $parts[4..]
        return 0
    end
    return 1
end

# Sets `what` is to be completed, from `value`, after `prefix`.
function __lbk_at_cursor -S
    if test -n "$pending"
        set what $pending
    else if test $ended = no; and string match -q -- '--*=*' "$word"
        set prefix (string replace -r '=.*' = -- $word)
        set value (string replace -r '^[^=]*=' '' -- $word)
        __lbk_option (string replace -r '=$' '' -- $prefix); and test $what != -
    else if test $ended = no; and string match -q -- '-*' "$word"
        set what options
        __lbk_combined
    else if string match -q 'command'\t'*' -- $known
        set what commands
    else
        set -l arguments (string replace -rf '^argument\t' '' -- $known)
        set what $arguments[$count]
        test -z "$what"; and set what (string match -r '.*\*$' -- "$arguments[-1]")
        set what (string replace -r '\*$' '' -- "$what")
        contains -- "$what$word" '' text; and set what options
        return 0
    end
end

# Looks for -xvalue, or -yxvalue.
function __lbk_combined -S
    string match -qr '^-[^-].' -- $word; or return 0
    for letter in (seq 2 (math (string length -- $word) - 1))
        __lbk_option -(string sub -s $letter -l 1 -- $word); or return 0
        test $what = -; and continue
        set prefix (string sub -l $letter -- $word)
        set value (string sub -s (math $letter + 1) -- $word)
        return 0
    end
    set what options
end

# Offers what `what` is.
function __lbk_value -S
    switch "$what"
        case commands
            string replace -f command\t '' -- $known
        case options
            for entry in $known
                set -l parts (string split \t -- $entry)
                test $parts[1] = option; or continue
                for name in $parts[4..]
                    contains -- $name $given; or printf '%s\t%s\n' $name $parts[3]
                end
            end
        case '=*'
            string split '|' -- (string sub -s 2 -- $what)
        case target
            printf '%s\n' @targets@
        case command-line
            complete -C (commandline -ct)
        case @names@
            set -l lbk lbk
            command -sq lbk; or set lbk (string replace -r '^~/' $HOME/ -- $words[1])
            command -sq $lbk; or return # fish would say so, whatever is redirected
            command $lbk __complete fish $what $words $value 2>/dev/null </dev/null
    end
end

# Offers what the command line would that begins here.
function __lbk_inside
    set -lx LBK_CONFIG /dev/null # the sandbox has a configuration of its own
    complete -C (string escape -- $argv | string join ' ')' '(commandline -ct)
end

complete -c lbk -e
complete -c lbk -k -f -a '(__lbk_complete)'
complete -c lbk -n '__lbk_complete files' -F
