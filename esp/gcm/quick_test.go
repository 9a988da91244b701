package gcm
import ("testing";"bytes";"crypto/rand";"fmt")
func TestQuick(t *testing.T){
 key:=make([]byte,32); rand.Read(key)
 s,_:=newStandard(key)
 for _,m:=range makers[:len(makers)-1] { c,_:=m.make(key)
  bad:=0
  for _, al := range []int{0,8,5,16,33} {
  for n:=0;n<1200 && bad<8;n++ { p:=make([]byte,n); rand.Read(p); a:=make([]byte,al); rand.Read(a); nonce:=make([]byte,12); rand.Read(nonce)
   want:=s.Seal(nil,nonce,p,a); got:=c.Seal(nil,nonce,p,a)
   if !bytes.Equal(want,got) { bad++; i:=0; for i<len(got)&&got[i]==want[i] {i++}; t.Errorf("%s n=%d a=%d differ at %d",m.name,n,al,i) }
   o,err:=c.Open(nil,nonce,want,a); if err!=nil||!bytes.Equal(o,p) {bad++; t.Errorf("%s open n=%d a=%d %v",m.name,n,al,err)}
  } } }
}
func BenchmarkQ(b *testing.B){ key:=make([]byte,32)
 for _,n:=range []int{64,208,1408,9000}{ for _,m:=range makers { c,_:=m.make(key); buf:=make([]byte,n+16); b.Run(fmt.Sprint("seal/",n,"/",m.name),func(b *testing.B){ var nonce [12]byte; var ad [8]byte; for b.Loop(){ c.Seal(buf[:0],nonce[:],buf[:n],ad[:]) } })
 x:=c.Seal(nil,make([]byte,12),make([]byte,n),make([]byte,8)); out:=make([]byte,n); b.Run(fmt.Sprint("open/",n,"/",m.name),func(b *testing.B){ var nonce [12]byte; var ad [8]byte; for b.Loop(){ if _,err:=c.Open(out[:0],nonce[:],x,ad[:]); err!=nil {b.Fatal(err)} } }) } } }
