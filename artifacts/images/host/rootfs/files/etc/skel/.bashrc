PS1='\u@\h \w \$ '
alias ll='ls -l'
